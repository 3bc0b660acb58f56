# Read the address of a database for backup.sh and restore.sh.

# Set `database` to an address without password, and PGPASSWORD to its password, because arguments
# of commands show in `ps`. Return 1 if the address is empty.
use_database() {
  local url=${1/#postgresql+psycopg:/postgresql:}
  [[ -n $url ]] || return 1
  if [[ $url =~ ^(postgres(ql)?://[^:/@?]*):([^@/?]*)@(.*)$ ]]; then
    local encoded=${BASH_REMATCH[3]//\\/\\\\}
    PGPASSWORD=$(printf '%b' "${encoded//%/\\x}")
    export PGPASSWORD
    url="${BASH_REMATCH[1]}@${BASH_REMATCH[4]}"
  fi
  database=$url
}

# Print the value of a setting, or the content of the file that the setting with `_FILE` names.
setting() {
  local file="${1}_FILE"
  if [[ -n ${!1:-} ]]; then
    printf '%s' "${!1}"
  elif [[ -n ${!file:-} ]]; then
    printf '%s' "$(<"${!file}")"
  fi
}
