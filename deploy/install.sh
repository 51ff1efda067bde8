#!/usr/bin/env bash
# Installs, upgrades and removes voice-probe as a systemd service. `install.sh --help` says how to use it.
#
# Each version has a virtual environment of its own under /opt/voice-probe/versions, and /opt/voice-probe/current is a
# symbolic link to the one that runs. An upgrade builds the new one beside the old, checks the configuration with it, and
# then moves the link: whatever fails on the way, the old one is still there, and runs.
set -euo pipefail
umask 022

readonly PREFIX=/opt/voice-probe
readonly CURRENT=$PREFIX/current
readonly CONFIG_DIR=/etc/probe
readonly CONFIG=$CONFIG_DIR/probe.toml
readonly STATE=/var/lib/voice-probe
readonly UNIT=voice-probe.service
readonly UNIT_FILE=/etc/systemd/system/$UNIT
readonly DROP_IN=/etc/systemd/system/$UNIT.d/backoff.conf
readonly COMMAND=/usr/local/bin/probe
readonly LOCK=/run/voice-probe-install.lock

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly SOURCE
readonly EXAMPLE=$SOURCE/deploy/probe.example.toml

action=install
dry_run=
purge=
no_start=
web=
web_is_new=
python=
work=
unfinished=
turn=

# shellcheck source=SCRIPTDIR/installer/checks.sh
source "$SOURCE/deploy/installer/checks.sh"
# shellcheck source=SCRIPTDIR/installer/version.sh
source "$SOURCE/deploy/installer/version.sh"
# shellcheck source=SCRIPTDIR/installer/service.sh
source "$SOURCE/deploy/installer/service.sh"
# shellcheck source=SCRIPTDIR/installer/web.sh
source "$SOURCE/deploy/installer/web.sh"

usage() {
    cat <<HELP
Usage: sudo deploy/install.sh [--dry-run] [--python PATH] [--no-start] [--with-web | --without-web]
       sudo deploy/install.sh --uninstall [--purge] [--dry-run]

Installs voice-probe as a systemd service from this checkout, or upgrades it. Safe to run again: what is already as it
should be stays untouched.

  --dry-run      say what would be done, and why it can't be, if so; change nothing (needs no root)
  --python PATH  the Python (3.11 or newer, with venv) to run on; by default /usr/bin/python3
  --no-start     install, and leave starting to you
  --with-web     with the pages over the recorded runs, as a service of their own; an upgrade keeps them
  --without-web  remove these pages again
  --uninstall    stop and remove the service; configuration and history stay
  --purge        with --uninstall: remove them, too
  --help         this text

What goes where:
  $PREFIX        one virtual environment a version; 'current' is the one that runs
  $CONFIG    the configuration; made from the example where there is none, never changed
  $CONFIG_DIR/credentials   secrets, a file each, such as OTLP__HEADERS__AUTHORIZATION
  $STATE    the history, readable for root only: sudo probe history
  $UNIT_FILE
  $WEB_UNIT_FILE   with --with-web
  $COMMAND      the command

The packages come from the registry that pip is set up for, and must match the hashes in requirements/. Without a network:
  pip download --require-hashes -r requirements/daemon.txt -r requirements/build.txt -d wheels      elsewhere
    (web.txt in place of daemon.txt for --with-web)
  sudo PIP_NO_INDEX=1 PIP_FIND_LINKS=\$PWD/wheels deploy/install.sh                                   here
HELP
}

say() { printf '%s\n' "$*"; }

die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# act TEXT COMMAND...: say what is done, and do it unless this is a dry run.
act() {
    if [[ $dry_run ]]; then
        say "would $1"
    else
        say "$1"
        "${@:2}"
    fi
}

clean_up() {
    if [[ $work ]]; then rm -rf "$work"; fi
    if [[ $unfinished ]]; then rm -rf "$unfinished"; fi
}

install_config() {
    install -d -m 0755 "$CONFIG_DIR"
    install -d -m 0700 "$CONFIG_DIR/credentials"
    place 0644 "$EXAMPLE" "$CONFIG_DIR/probe.example.toml"
    [[ -e $CONFIG ]] || place 0644 "$EXAMPLE" "$CONFIG"
}

config_is_there() {
    [[ -e $CONFIG && -d $CONFIG_DIR/credentials ]] && cmp -s "$EXAMPLE" "$CONFIG_DIR/probe.example.toml"
}

# check_config VERSION: refuse where the configuration is wrong for it, or, before it is built, for the one that runs.
check_config() {
    local command=$PREFIX/versions/$1/bin/probe
    [[ -x $command ]] || command=$CURRENT/bin/probe
    [[ -x $command && -e $CONFIG ]] || return 0
    # Without this shell's variables: the service will not have them.
    env -i "$command" check-config "$CONFIG" >/dev/null ||
        die "correct $CONFIG (see above) and run it again; $CONFIG_DIR/probe.example.toml shows every setting"
}

where_to_look() {
    local address
    address=$(env -i "$CURRENT/bin/python" -I - "$CONFIG" <<'PYTHON'
import sys
from pathlib import Path
from probe.config import load
http = load(Path(sys.argv[1])).http
print(f"{http.host}:{http.port or '(http_port in the log)'}")
PYTHON
    )
    cat <<TEXT

voice-probe $(project_version) is running. What to look at next:
  runs      sudo probe history            (the first is recorded within seconds)
  log       journalctl -u voice-probe -f
  metrics   http://$address/metrics
  health    http://$address/healthz
  settings  $CONFIG, then: sudo systemctl reload voice-probe
  dashboards and alerts: deploy/README.md
TEXT
    if wants_web; then say "  pages     http://127.0.0.1:9851/           (docs/web.md: a password, other machines)"; fi
}

install_service() {
    local version
    : "${python:=$(default_python)}"
    check_install
    take_turn
    version=$(version_name)
    if is_complete "$version"; then
        say "version $version is there already"
    else
        act "build version $version in $PREFIX/versions" build_version "$PREFIX/versions/$version"
    fi
    check_config "$version"
    if ! config_is_there; then
        act "put the example configuration into $CONFIG_DIR (a $CONFIG that is there stays)" install_config
    fi
    switch_to "$version"
}

switch_to() {
    local version=$1 previous first=
    previous=$(running_version)
    [[ -e $UNIT_FILE ]] || first=yes
    owns_command || say "$COMMAND is another program and stays; use $CURRENT/bin/probe"
    if ! is_in_place "$version"; then
        act "make $version the one that runs, as $UNIT" put_in_place "$version"
    elif is_active && runs_as "$version" && web_runs "$version"; then
        say "it runs: nothing to do"
        return
    fi
    if [[ $no_start || (! $first && $(is_disabled && say yes)) ]]; then
        say "not started; when you want it: sudo systemctl enable --now voice-probe"
        return
    fi
    act "start it, now and at boot, and wait until it is ready" start_or_roll_back "$version" "$previous"
    if [[ ! $dry_run ]]; then where_to_look; fi
}

uninstall_service() {
    local reasons
    reasons=$(
        check_root
        check_systemd
    )
    if [[ $reasons ]]; then refuse "$reasons"; fi
    take_turn
    act "stop and remove $UNIT" remove_service
    act "remove $PREFIX" rm -rf "$PREFIX"
    if [[ $purge ]]; then
        act "remove the configuration, the credentials and the history" \
            rm -rf "$CONFIG_DIR" "$STATE" "/var/lib/private/${STATE##*/}" "$UNIT_FILE.d" "$WEB_UNIT_FILE.d"
    else
        say "kept: $CONFIG_DIR and $STATE (--uninstall --purge removes them)"
    fi
}

while (($#)); do
    case $1 in
        --dry-run) dry_run=yes ;;
        --no-start) no_start=yes ;;
        --with-web) web=yes ;;
        --without-web) web=no ;;
        --python) python=${2:?--python needs a PATH} && shift ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        -h | --help) usage && exit 0 ;;
        *) die "unknown option $1; --help lists them" ;;
    esac
    shift
done
[[ ! $purge || $action == uninstall ]] || die "--purge goes with --uninstall only"
trap clean_up EXIT
"${action}_service"
