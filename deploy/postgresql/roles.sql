-- The database of wxpass with two roles. Run it with psql as superuser:
--   sudo -u postgres psql -f roles.sql
-- New roles have no password, so they cannot log in with one until you set it:
--   sudo -u postgres psql -c '\password wxpass_owner' -c '\password wxpass'
-- wxpass_owner owns the tables and runs `flask --app wsgi db upgrade`. wxpass runs the service and
-- all other commands. It reads and writes rows, and cannot create, change, drop or empty a table.
-- The file can be run again, and it converts a database that the role wxpass owns.
\set ON_ERROR_STOP on

SELECT 'CREATE ROLE wxpass_owner LOGIN'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wxpass_owner') \gexec
SELECT 'CREATE ROLE wxpass LOGIN'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wxpass') \gexec
SELECT 'CREATE DATABASE wxpass OWNER wxpass_owner ENCODING ''UTF8'' TEMPLATE template0'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'wxpass') \gexec

\connect wxpass
BEGIN;
-- Tables, functions and the database itself, in a database of one role.
REASSIGN OWNED BY wxpass TO wxpass_owner;

-- Neither role needs the rights that PostgreSQL gives to all roles.
REVOKE ALL ON DATABASE wxpass FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE wxpass TO wxpass;
GRANT USAGE ON SCHEMA public TO wxpass;
GRANT USAGE, CREATE ON SCHEMA public TO wxpass_owner;

-- Existing tables, and the tables that later migrations create.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO wxpass;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO wxpass;
ALTER DEFAULT PRIVILEGES FOR ROLE wxpass_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO wxpass;
ALTER DEFAULT PRIVILEGES FOR ROLE wxpass_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO wxpass;
COMMIT;
