# shellcheck shell=bash
# Whether it can work here: each check prints a reason why not, so that all of them are reported at once.

# The oldest that the service is tested with.
readonly OLDEST_SYSTEMD=252
# A version takes 75 MB; while it is built there are two of them, and a download.
readonly PREFIX_MB=300
readonly STATE_MB=100

check_system() {
    local kernel machine
    kernel=$(uname -s) machine=$(uname -m)
    [[ $kernel == Linux ]] || say "this is $kernel; the service needs Linux"
    case $machine in
        x86_64 | aarch64) ;;
        *) say "the processor is $machine; it runs on x86_64 and aarch64" ;;
    esac
}

systemd_version() { systemctl show --property=Version --value 2>/dev/null | sed 's/[^0-9].*//'; }

check_systemd() {
    local version
    version=$(systemd_version) || true
    if [[ -z $version ]]; then
        say "systemd is not running here; without it use \`probe daemon\` under whatever supervises services"
    elif ((version < OLDEST_SYSTEMD)); then
        say "systemd is version $version; the service needs $OLDEST_SYSTEMD or newer"
    fi
}

check_root() {
    if [[ $dry_run ]]; then return; fi
    [[ $(id -u) == 0 ]] || say "it writes to /opt and /etc: run it as root (sudo $0)"
}

check_checkout() {
    local file
    for file in pyproject.toml src/probe "$(requirements)" requirements/build.txt deploy/systemd/$UNIT deploy/systemd/$WEB_UNIT \
        deploy/prometheus grafana/dashboards; do
        [[ -e $SOURCE/$file ]] || say "$SOURCE/$file is missing: run it from a whole checkout"
    done
}

check_python() {
    if ! command -v "$python" >/dev/null; then
        say "there is no $python: install Python 3.11 or newer, or name it with --python"
        return
    fi
    "$python" -I - "$python" <<'PYTHON' || say "$python does not run: name another Python with --python"
import os, sys
name = sys.argv[1]
if sys.version_info < (3, 11):
    print("%s is Python %d.%d; 3.11 or newer is needed: name one with --python" % ((name,) + sys.version_info[:2]))
else:
    try:
        import ensurepip, venv
    except ImportError as error:
        print("%s lacks %s: install it (Debian, Ubuntu: apt-get install python3-venv)" % (name, error.name))
for place in ("/home", "/root", "/run/user"):
    if os.path.realpath(sys.base_prefix).startswith(place + "/"):
        print("%s is in %s, where the service can't look: name another Python with --python" % (name, place))
PYTHON
}

# check_space DIRECTORY MEGABYTES
check_space() {
    local place=$1 free
    while [[ ! -d $place ]]; do place=$(dirname "$place"); done
    free=$(df -Pk "$place" | awk 'NR == 2 {print int($4 / 1024)}')
    ((free >= $2)) || say "$place has $free MB free; $1 needs $2 MB"
}

refuse() {
    while IFS= read -r reason; do
        printf 'install.sh: %s\n' "$reason" >&2
    done <<<"$1"
    die "nothing was changed"
}

# take_turn: two installers at once would build into each other's version. The lock ends with the process.
take_turn() {
    if [[ $dry_run ]]; then return; fi
    exec {turn}>"$LOCK"
    flock --nonblock "$turn" || die "another install.sh is at work; nothing was changed"
}

check_install() {
    local reasons
    reasons=$(
        check_root
        check_system
        check_systemd
        check_checkout
        check_python
        check_space "$PREFIX" "$PREFIX_MB"
        check_space "$STATE" "$STATE_MB"
    )
    if [[ $reasons ]]; then refuse "$reasons"; fi
}

default_python() { if [[ -x /usr/bin/python3 ]]; then say /usr/bin/python3; else say python3; fi; }
