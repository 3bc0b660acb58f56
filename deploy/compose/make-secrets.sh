#!/bin/sh
# Generate the secrets of deploy/compose.yaml in deploy/compose/secrets, or in the folder given. Existing
# files are kept. Needs openssl. Copy keys and pepper to your secret manager: without them, encrypted
# data is lost.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
# Containers see single files, with users of their own, so the files are readable for all. The folder
# protects them on this machine.
umask 022

keep() {
  if [ ! -s "$folder/$1" ]; then
    cat > "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    echo "$folder/$1"
  fi
}

for name in postgres_password owner_password service_password grafana_password; do
  openssl rand -hex 24 | tr -d '\n' | keep "$name"
done
printf 'k1:%s' "$(openssl rand -base64 32)" | keep keys
openssl rand -base64 48 | tr -d '\n' | keep pepper
openssl genpkey -algorithm ed25519 | keep jwt_private_key
printf 'postgresql://wxpass:%s@postgres/wxpass' "$(cat "$folder/service_password")" | keep database_url
printf 'postgresql://wxpass_owner:%s@postgres/wxpass' "$(cat "$folder/owner_password")" |
  keep owner_database_url
