# shellcheck shell=bash
# The pages (`--with-web`): a version that has them has the packages for them and `-web` in its name, and its unit beside
# the daemon's. An upgrade keeps them as it found them.

readonly WEB_UNIT=voice-probe-web.service
readonly WEB_UNIT_FILE=/etc/systemd/system/$WEB_UNIT

# wants_web: as the option says, else as it is.
wants_web() {
    if [[ $web ]]; then [[ $web == yes ]]; else [[ -e $WEB_UNIT_FILE ]]; fi
}

# has_web VERSION
has_web() { [[ $1 == *-web ]]; }

# The file of requirements that a version is built from.
requirements() { if wants_web; then say requirements/web.txt; else say requirements/daemon.txt; fi; }

web_is_in_place() {
    if has_web "$1"; then cmp -s "$PREFIX/versions/$1/deploy/$WEB_UNIT" "$WEB_UNIT_FILE"; else [[ ! -e $WEB_UNIT_FILE ]]; fi
}

# put_web_in_place VERSION: its unit, or none; before `daemon-reload`.
put_web_in_place() {
    if has_web "$1"; then
        # Enabled once, when it is new: one that was disabled on purpose stays so.
        [[ -e $WEB_UNIT_FILE ]] || web_is_new=yes
        place 0644 "$PREFIX/versions/$1/deploy/$WEB_UNIT" "$WEB_UNIT_FILE"
    else
        remove_web
    fi
}

web_runs() { ! has_web "$1" || web_is_disabled || systemctl is-active --quiet "$WEB_UNIT"; }

web_is_disabled() { [[ ! $web_is_new && $(systemctl is-enabled "$WEB_UNIT" 2>/dev/null) == disabled ]]; }

# start_web VERSION: the measurement is what matters, so that pages which don't start are a complaint and no failure.
start_web() {
    if ! has_web "$1" || web_is_disabled; then return 0; fi
    systemctl --quiet enable "$WEB_UNIT"
    systemctl reset-failed "$WEB_UNIT" 2>/dev/null || true
    if ! systemctl restart "$WEB_UNIT" || ! sleep "$SETTLE_S" || ! systemctl is-active --quiet "$WEB_UNIT"; then
        journalctl --quiet --no-pager --output=cat --lines=5 --unit="$WEB_UNIT" >&2 || true
        printf 'install.sh: the pages did not start (their log is above); the daemon runs\n' >&2
    fi
}

remove_web() {
    [[ -e $WEB_UNIT_FILE ]] || return 0
    systemctl --quiet disable --now "$WEB_UNIT" 2>/dev/null || true
    rm -f "$WEB_UNIT_FILE" "$WEB_UNIT_FILE.new"
    systemctl reset-failed "$WEB_UNIT" 2>/dev/null || true
}
