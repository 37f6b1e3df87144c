#!/bin/bash
# Debian's programs, dynamically linked, in the empty directory given. What it prints is the same on every processor:
# floating point is rounded to what all libraries agree on. Names of what is done are printed with the seconds that
# it took, which a reader leaves out.
export LC_ALL=C PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 HOME=/root
cd "$1" || exit 1
sources=$2

part() {
  local name=$1 from=$SECONDS
  shift
  echo "== $name"
  "$@" 2>&1
  echo "== $name: status $?, $((SECONDS - from)) s"
}

in_bash() {
  declare -A squares
  local i word total=0
  for ((i = 0; i < 20000; i++)); do ((total = (total * 33 + i) & 0xffffffff)); done
  for i in {1..300}; do squares[k$i]=$((i * i)); done
  echo "$total ${#squares[@]} ${squares[k17]}"
  for word in alpha beta gamma; do printf '%s|%10s|%-8s|\n' "${word^^}" "${word:1:3}" "${word/a/_}"; done
  [[ 2024-05-17 =~ ^([0-9]+)-([0-9]+) ]] && echo "${BASH_REMATCH[@]}"
  seq 1 5000 | while read -r i; do ((i % 7)) || echo "$i"; done | sort -r | sha256sum
  (trap 'echo caught' USR1; kill -USR1 "$BASHPID"; echo after)
}

compressed() {
  local program
  seq 1 60000 >plain
  for program in 'gzip -9n' 'gzip -1n' 'xz -6' 'xz -0 --check=crc32' 'xz -T2 --block-size=100000'; do
    $program <plain >packed && sha256sum <packed
    ${program%% *} -dc <packed | cmp - plain && echo "$program: same"
  done
}

digests() {
  local digest
  seq 1 40000 >data
  for digest in md5 sha1 sha256 sha512 sha3-256 blake2b512; do openssl dgst -$digest data; done
  for cipher in aes-128-cbc aes-256-ctr chacha20 camellia-128-cbc; do
    openssl enc -$cipher -K 000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f \
      -iv 0f0e0d0c0b0a09080706050403020100 -in data 2>&1 | sha256sum
  done
  openssl prime -hex 1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF
  openssl genrsa -out key.pem 1024 2>&1 && openssl dgst -sha256 -sign key.pem -out signature data &&
    openssl rsa -in key.pem -pubout -out public.pem 2>&1 &&
    openssl dgst -sha256 -verify public.pem -signature signature data
  openssl ecparam -name prime256v1 -genkey -noout -out ec.pem && openssl dgst -sha256 -sign ec.pem -out ec.sig data &&
    openssl ec -in ec.pem -pubout -out ec.pub 2>&1 && openssl dgst -sha256 -verify ec.pub -signature ec.sig data
  openssl speed -seconds 1 -bytes 1024 sha256 >speed 2>&1 && grep -c '^sha256 ' speed
}

database() {
  sqlite3 test.db <"$sources/queries.sql"
  sqlite3 test.db 'pragma integrity_check'
}

compiled() {
  local level
  for level in -O0 -O2 '-O3 -ffast-math'; do
    # shellcheck disable=SC2086
    gcc $level -Wall -o program "$sources/program.c" -lm -pthread && ./program
  done
}

part bash in_bash
part perl perl "$sources/program.pl"
part python3 python3 "$sources/program.py"
part compression compressed
part openssl digests
part sqlite3 database
part gcc compiled
echo '== all done'
