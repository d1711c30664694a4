# Sourced by ./run and the scripts beside this one: installs packages, configures presets, builds targets.
# Needs $root, the top of the tree. Everything here talks on stderr.

die() { echo "run: $*" >&2; exit 2; }

# packages_of KIND...: their names, from .ci/packages.
packages_of() {
    local kind name rest wanted
    while read -r kind name rest; do
        for wanted in "$@"; do [[ $kind != "$wanted" ]] || echo "$name"; done
    done <"$root/.ci/packages"
}

# need KIND...: installs what is missing of these kinds, or says what is missing and ends with 2.
need() {
    local names missing=() name
    mapfile -t names < <(packages_of "$@")
    command -v dpkg-query >/dev/null || die "this is no Debian; it takes the like of these packages: ${names[*]}"
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${names[@]}" 2>/dev/null || true)
    for name in "${names[@]}"; do
        grep -qx "$name installed" <<<"$installed" || missing+=("$name")
    done
    ((${#missing[@]})) || return 0

    local as_root=() line="apt-get install -y --no-install-recommends ${missing[*]}"
    echo "run: missing Debian packages: ${missing[*]}" >&2
    if [[ ${XENRIG_INSTALL-} == no ]]; then
        die "XENRIG_INSTALL=no; install them with: $line"
    elif ((EUID != 0)); then
        as_root=(sudo)
        command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; } ||
            die "not root, and sudo is not to be had; install them as root with: $line"
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    "${as_root[@]}" apt-get update -q >&2 </dev/null || echo "run: apt-get update failed; trying with the lists that are there" >&2
    "${as_root[@]}" $line >&2 </dev/null || die "could not install them; as root: $line"
}

# configure PRESET [ARGS]: afresh when the tree was moved here with its build folder.
configure() {
    local dir=$root/build/$1 fresh=()
    if [[ -f $dir/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
        fresh=(--fresh)
    fi
    (cd "$root" && cmake --preset "$@" "${fresh[@]}") >&2 </dev/null || die "cmake could not configure $dir"
}

# build DIR TARGET...: says nothing when nothing is to be done; one build at a time in a folder.
build() {
    local dir=$1
    shift
    [[ $(ninja -C "$dir" -n "$@" 2>/dev/null </dev/null) != *'no work to do.'* ]] || return 0
    local lock
    exec {lock}>"$dir/.run-lock"
    flock -n $lock || { echo "run: waiting for another build in $dir" >&2; flock $lock; }
    ninja -C "$dir" "$@" >&2 </dev/null || die "the build in $dir failed"
    exec {lock}>&-
}

# build_release TARGET: packages and configuration only where the stamp does not vouch for them.
build_release() {
    local stamp=$root/build/release/.run-stamp
    local vouched=$root$'\n'$(<"$root/.ci/packages")
    if [[ ! -f $root/build/release/build.ninja || ! -f $stamp || $(<"$stamp") != "$vouched" ]]; then
        need build
        configure release
        echo "$vouched" >"$stamp"
    fi
    build "$root/build/release" "$1"
}

# tests_in JUNIT: "TESTS FAILED SKIPPED".
tests_in() {
    local text
    text=$(grep -m1 -A8 '<testsuite ' "$1" 2>/dev/null | tr '\n' ' ')
    local attribute
    for attribute in tests failures skipped; do
        [[ $text =~ [[:space:]]$attribute=\"([0-9]+)\" ]] && echo -n "${BASH_REMATCH[1]} " || echo -n '0 '
    done
    echo
}

# summary JUNIT: the closing lines of a test run.
summary() {
    local tests failed skipped
    read -r tests failed skipped <<<"$(tests_in "$1")"
    echo "Results: ${1#"$root"/}"
    ((skipped == 0)) || echo "$skipped skipped"
    echo "$((tests - failed - skipped)) passed, $failed failed"
}

# The first 7 hex digits of the commit, by which CI rotates; 0 without git.
commit_hash() { git -C "$root" rev-parse --short=7 HEAD 2>/dev/null | head -c7 || echo 0; }
