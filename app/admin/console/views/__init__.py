"""Pages of the console. `app.admin.console.init_app` registers them, in the order of the menu."""
