# shellcheck shell=bash disable=SC2034 # the file is sourced
# Reads loads.txt into the array `loads`, by name, for scripts that run in the project's root.
declare -A loads=()
read_loads() {
  local name load
  while read -r name load; do
    case $name in '' | '#'*) continue ;; esac
    loads[$name]=$load
  done <benches/loads.txt
}
read_loads
