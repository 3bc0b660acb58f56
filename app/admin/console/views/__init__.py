"""View classes of the console.

Steps to add a page:

1. Write a service in `app/services/tenant_admin`, and offer it in the admin API, too.
2. Add a view class here, derived from `Page`. Its endpoint begins with `console_`.
3. Add a template in `templates/console/`.
4. Register the view in `init_app` of `app/admin/console`. The menu has the same order.
5. Add the Chinese translation (`make messages`).
6. Add the page to `tests/admin/console/test_access.py`.
"""
