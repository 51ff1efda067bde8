# shellcheck shell=bash
# A version: built beside the others, complete once it has its stamp.

project_version() { sed -n 's/^version = "\(.*\)"/\1/p' "$SOURCE/pyproject.toml"; }

# Named after what is in it: the same checkout on the same Python is the same version.
version_name() {
    local hash suffix=
    if wants_web; then suffix=-web; fi
    hash=$(
        cd "$SOURCE"
        {
            "$python" -I -c 'import sys; print(sys.version, sys.base_prefix)'
            find pyproject.toml "$(requirements)" requirements/build.txt src deploy/systemd deploy/probe.example.toml \
                deploy/prometheus grafana/dashboards \
                -type f ! -path '*/__pycache__/*' ! -path '*.egg-info/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        } | sha256sum
    )
    say "$(project_version)-${hash:0:10}$suffix"
}

build_version() {
    local target=$1
    # Isolated: a venv.py or pip.py in root's current directory does not belong to us.
    local pip=("$target/bin/python" -I -m pip --quiet --disable-pip-version-check)
    unfinished=$target
    work=$(mktemp -d)
    rm -rf "$target"
    mkdir -p "$PREFIX/versions"
    "$python" -I -m venv "$target"
    "${pip[@]}" install --require-hashes --no-deps --only-binary :all: \
        -r "$SOURCE/$(requirements)" -r "$SOURCE/requirements/build.txt" ||
        die "the packages could not be installed (see above); nothing was changed"
    # Built from a copy: a build leaves files, and the checkout may be a user's.
    cp -rL "$SOURCE/pyproject.toml" "$SOURCE/README.md" "$SOURCE/LICENSE" "$SOURCE/src" "$work"
    # Which commit this is, as `probe --version` reports it. root does not own the checkout.
    git -c safe.directory='*' -C "$SOURCE" describe --always --dirty --exclude='*' --abbrev=12 >"$work/src/probe/commit.txt" 2>/dev/null ||
        rm -f "$work/src/probe/commit.txt"
    # What the package holds besides, for `probe export`.
    mkdir "$work/deploy" "$work/docs" "$work/grafana"
    cp -r "$SOURCE/deploy/probe.example.toml" "$SOURCE/deploy/prometheus" "$work/deploy"
    cp -r "$SOURCE/docs/man" "$work/docs"
    cp -r "$SOURCE/grafana/dashboards" "$work/grafana"
    "${pip[@]}" install --no-index --no-deps --no-build-isolation "$work"
    "${pip[@]}" uninstall --yes setuptools
    "$target/bin/python" -I -m probe --version >/dev/null
    mkdir "$target/deploy"
    cp "$SOURCE/deploy/systemd/"* "$SOURCE/deploy/probe.example.toml" "$target/deploy"
    touch "$target/complete"
    unfinished=
}

is_complete() { [[ -e $PREFIX/versions/$1/complete ]]; }
