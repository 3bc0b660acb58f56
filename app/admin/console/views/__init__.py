"""Pages of the console.

A new page needs a view class here, derived from `Page`, with an endpoint that begins with
`console_`; a template in `templates/console/`; a line in `init_app` of `app/admin/console`, which
also decides its place in the menu; Chinese texts (`make messages`); and a row in
`tests/admin/console/test_access.py`. Its work is a service in `tenant_admin`, which the admin API
offers too.
"""
