-- Role and database of the service. Run once on the primary as superuser: psql -f wxpass.sql
CREATE ROLE wxpass LOGIN PASSWORD 'CHANGE_ME';
-- The service cannot send these through PgBouncer.
ALTER ROLE wxpass SET timezone = 'UTC';
ALTER ROLE wxpass SET statement_timeout = '4s';
ALTER ROLE wxpass SET idle_in_transaction_session_timeout = '30s';
CREATE DATABASE wxpass OWNER wxpass;
