"""Views of the console, one module per subject.

Steps to add a page:

1. Write a service in `app/services/tenant_admin`, and offer it in the admin API, too.
2. Write views here. `tenant_pages` and `own_pages` return a blueprint that checks the access.
3. Add a template in `templates/console/`.
4. Register the blueprint in `app/admin/console`, and add it to the sidebar in `navigation.py`.
5. Add the Chinese translation (`make messages`).
6. Add the page to `tests/admin/console/test_access.py`.
"""
