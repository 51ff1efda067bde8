# shellcheck shell=bash
# The service: put in place, started, rolled back, removed.

# What is not active for so long after its start has not started.
readonly SETTLE_S=3
# From this systemd on, restarts can be put further and further apart.
readonly BACKOFF_SYSTEMD=254

is_active() { systemctl is-active --quiet "$UNIT"; }

# runs_as VERSION: an installer that was killed may have put a version in place, and not have started it.
runs_as() {
    local process
    process=$(systemctl show --property=MainPID --value "$UNIT")
    tr '\0' '\n' 2>/dev/null <"/proc/$process/cmdline" | grep -q "^$PREFIX/versions/$1/"
}

# It was disabled on purpose: an upgrade does not start it.
is_disabled() { [[ $(systemctl is-enabled "$UNIT" 2>/dev/null) == disabled ]]; }

wants_backoff() { (($(systemd_version) >= BACKOFF_SYSTEMD)); }

running_version() { basename "$(readlink "$CURRENT" 2>/dev/null || true)"; }

is_in_place() {
    local files=$PREFIX/versions/$1/deploy
    [[ $(running_version) == "$1" ]] || return 1
    cmp -s "$files/$UNIT" "$UNIT_FILE" || return 1
    if wants_backoff; then cmp -s "$files/backoff.conf" "$DROP_IN" || return 1; fi
    web_is_in_place "$1"
}

# place MODE FROM TO: in one step, so that a file that is there is whole whenever we are killed.
place() {
    install -D -m "$1" "$2" "$3.new"
    mv -T "$3.new" "$3"
}

# put_in_place VERSION: its unit, its command, and at last the link.
put_in_place() {
    local files=$PREFIX/versions/$1/deploy
    place 0644 "$files/$UNIT" "$UNIT_FILE"
    if wants_backoff; then place 0644 "$files/backoff.conf" "$DROP_IN"; fi
    if owns_command; then place 0755 "$files/probe" "$COMMAND"; fi
    put_web_in_place "$1"
    ln -sfn "versions/$1" "$CURRENT.new"
    mv -T "$CURRENT.new" "$CURRENT"
    systemctl daemon-reload
}

owns_command() { [[ ! -e $COMMAND ]] || grep -q "$CURRENT/bin/probe" "$COMMAND"; }

# Type=notify: systemctl returns once the daemon is ready, or has failed.
start_service() {
    systemctl reset-failed "$UNIT" 2>/dev/null || true
    systemctl restart "$UNIT" || return 1
    sleep "$SETTLE_S"
    is_active
}

start_or_roll_back() {
    local version=$1 previous=$2
    systemctl --quiet enable "$UNIT"
    if ! start_service; then roll_back "${previous#"$version"}"; fi
    start_web "$version"
    remove_other_versions "$version" "$previous"
}

# roll_back VERSION: to that one, or to none.
roll_back() {
    journalctl --quiet --no-pager --output=cat --lines=15 --unit="$UNIT" >&2 || true
    if [[ -z $1 ]]; then
        systemctl stop "$UNIT" || true
        die "the service did not start (its log is above); correct what it says and run it again"
    fi
    put_in_place "$1"
    start_service || die "neither the new version nor the old one starts; the new one's log is above"
    start_web "$1"
    die "the new version did not start (its log is above); $1 runs again"
}

remove_other_versions() {
    local version
    for version in "$PREFIX"/versions/*; do
        case ${version##*/} in
            "$1" | "$2") ;;
            *) rm -rf "$version" ;;
        esac
    done
}

remove_service() {
    remove_web
    systemctl --quiet disable --now "$UNIT" 2>/dev/null || true
    if [[ -e $COMMAND ]] && owns_command; then rm -f "$COMMAND"; fi
    rm -f "$UNIT_FILE" "$DROP_IN" "$UNIT_FILE.new" "$DROP_IN.new" "$COMMAND.new"
    rmdir --ignore-fail-on-non-empty "$UNIT_FILE.d" 2>/dev/null || true
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2>/dev/null || true
}
