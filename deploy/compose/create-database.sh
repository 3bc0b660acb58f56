#!/bin/bash
# The image of PostgreSQL runs this once, when its volume is empty. Creates the roles and the database of
# deploy/postgresql/roles.sql, and sets the passwords.
set -euo pipefail
roles=${ROLES_FILE:-/roles.sql} secrets=${SECRETS_FOLDER:-/run/secrets}
psql --no-psqlrc --quiet --username postgres --dbname postgres --file "$roles"
psql --no-psqlrc --quiet --username postgres --dbname postgres --set ON_ERROR_STOP=1 \
  --set owner="$(cat "$secrets/owner_password")" \
  --set service="$(cat "$secrets/service_password")" <<'SQL'
ALTER ROLE wxpass_owner PASSWORD :'owner';
ALTER ROLE wxpass PASSWORD :'service';
SQL
