#!/usr/bin/env bash
# Restore a backup of backup.sh into an empty database, and check that the keys fit:
#   restore.sh /backup/wxpass-20260131T030000Z.dump
# Settings: RESTORE_DATABASE_URL, the address of the empty database with the role that will own the
# tables; default: DATABASE_URL. FLASK as in backup.sh. WXPASS_KEYS and WXPASS_PEPPER as in
# production. BACKUP_AGE_IDENTITY, the file with the key for a backup that is encrypted with age.
set -Eeuo pipefail
umask 077
trap 'fail "a command failed in line $LINENO"' ERR

fail() {
  trap - ERR
  echo "restore failed: $1" >&2
  exit 1
}

(($# == 1)) || fail "name the file of the backup"
file=$(realpath -- "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source deploy/backup/database_url.sh
[[ -f $file ]] || fail "there is no file $file"
FLASK=${FLASK:-$([[ -x .venv/bin/flask ]] && echo .venv/bin/flask || echo flask)}
url=$(setting RESTORE_DATABASE_URL)
url=${url:-$(setting DATABASE_URL)}
use_database "$url" || fail "set RESTORE_DATABASE_URL to the address of the empty database"

if [[ -f $file.sha256 ]]; then
  (cd "$(dirname "$file")" && sha256sum --check --quiet -- "$(basename "$file").sha256") ||
    fail "the checksum does not match: the file is damaged"
fi
tables=$(psql --no-psqlrc --no-password --tuples-only --no-align --dbname="$database" \
  --command="SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
((tables == 0)) || fail "the database is not empty. Create a new one, and restore into that"

read_backup() {
  case $file in
    *.age) age --decrypt --identity "${BACKUP_AGE_IDENTITY:?}" -- "$file" ;;
    *.gpg) gpg --batch --quiet --decrypt -- "$file" ;;
    *) cat -- "$file" ;;
  esac
}

# All or nothing. The connected role becomes the owner.
read_backup | pg_restore --no-owner --exit-on-error --single-transaction --no-password \
  --dbname="$database"
# Tables of PostgreSQL itself are analysed by autovacuum. Only a superuser may do it.
PGOPTIONS='-c client_min_messages=error' \
  psql --no-psqlrc --quiet --no-password --dbname="$database" --command=ANALYZE
# The check that the start of the service makes, and the keys that the rows need.
unset DATABASE_URL_FILE DATABASE_LISTEN_URL DATABASE_LISTEN_URL_FILE DATABASE_POOLER
DATABASE_URL=$url "$FLASK" --app wsgi keys check ||
  fail "the database is restored, but WXPASS_KEYS or WXPASS_PEPPER do not fit"
echo "Restored. Continue with \"After a restore\" in docs/backup.md."
