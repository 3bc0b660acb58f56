#!/usr/bin/env bash
# Back up the database of wxpass with pg_dump. docs/backup.md describes the settings:
#   BACKUP_DIR              folder of the backups, on another disk or machine; required
#   BACKUP_DATABASE_URL     default: DATABASE_LISTEN_URL, else DATABASE_URL. The three may also be
#                           in files that BACKUP_DATABASE_URL_FILE etc. name
#   BACKUP_KEEP             number of backups to keep, default 14
#   BACKUP_AGE_RECIPIENT    encrypt with age for this recipient
#   BACKUP_GPG_RECIPIENT    encrypt with gpg for this recipient
#   FLASK                   default: .venv/bin/flask of this checkout, else flask
# The keys and the pepper are not part of the backup. Keep them in your secret manager.
set -Eeuo pipefail
umask 077
trap 'fail "a command failed in line $LINENO"' ERR

fail() {
  trap - ERR
  echo "backup failed: $1" >&2
  rm -f -- "${partial:-}"
  exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source deploy/backup/database_url.sh
[[ -n ${BACKUP_DIR:-} ]] || fail "set BACKUP_DIR to the folder of the backups"
[[ -d $BACKUP_DIR ]] || fail "BACKUP_DIR is no folder: $BACKUP_DIR"
[[ ${BACKUP_KEEP:=14} =~ ^[1-9][0-9]*$ ]] || fail "BACKUP_KEEP is no number from 1: $BACKUP_KEEP"
FLASK=${FLASK:-$([[ -x .venv/bin/flask ]] && echo .venv/bin/flask || echo flask)}
url=$(setting BACKUP_DATABASE_URL)
# With Citus, the first of several addresses is the coordinator.
[[ -n $url ]] || read -r url _ <<<"$(setting DATABASE_LISTEN_URL)"
use_database "${url:-$(setting DATABASE_URL)}" ||
  fail "set BACKUP_DATABASE_URL to the address of the database"

# One backup at a time.
exec 9>"$BACKUP_DIR/.lock"
flock --nonblock 9 || fail "another backup is running"
rm -f -- "$BACKUP_DIR"/wxpass-*.partial

dump() {
  pg_dump --format=custom --no-password --lock-wait-timeout=60s --dbname="$database" "$@"
}

name="wxpass-$(date --utc +%Y%m%dT%H%M%SZ).dump"
if [[ -n ${BACKUP_AGE_RECIPIENT:-} ]]; then
  name+=.age
  partial="$BACKUP_DIR/$name.partial"
  dump | age --encrypt --recipient "$BACKUP_AGE_RECIPIENT" --output "$partial"
elif [[ -n ${BACKUP_GPG_RECIPIENT:-} ]]; then
  name+=.gpg
  partial="$BACKUP_DIR/$name.partial"
  dump | gpg --batch --yes --encrypt --recipient "$BACKUP_GPG_RECIPIENT" --output "$partial"
else
  partial="$BACKUP_DIR/$name.partial"
  dump --file="$partial"
  pg_restore --list "$partial" >/dev/null
fi
[[ -s $partial ]] || fail "the backup is empty"

sync -- "$partial"
checksum=$(sha256sum -- "$partial" | cut -d ' ' -f 1)
echo "$checksum  $name" >"$BACKUP_DIR/$name.sha256"
mv -- "$partial" "$BACKUP_DIR/$name"

# Delete the oldest backups. Their names sort by time.
shopt -s nullglob
backups=("$BACKUP_DIR"/wxpass-*.dump "$BACKUP_DIR"/wxpass-*.dump.age "$BACKUP_DIR"/wxpass-*.dump.gpg)
mapfile -t backups < <(printf '%s\n' "${backups[@]}" | sort)
for ((i = 0; i < ${#backups[@]} - BACKUP_KEEP; i++)); do
  rm -- "${backups[i]}"
  rm -f -- "${backups[i]}.sha256"
done

"$FLASK" --app wsgi jobs record backup >/dev/null ||
  fail "the backup $name is complete, but could not be recorded for monitoring"
echo "$BACKUP_DIR/$name"
