# shellcheck shell=bash
# Completion of mtls-run and mtlsctl, for bash-completion.

_mtls_run() {
    local cur=${COMP_WORDS[COMP_CWORD]} i
    COMPREPLY=()
    # What follows the program is the program's own command line.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -p | -s | --policy | --service) i=$((i + 1)) ;;
            --)
                i=$((i + 1))
                break
                ;;
            -*) ;;
            *) break ;;
        esac
    done
    if ((i < COMP_CWORD)); then
        if declare -F _command_offset >/dev/null; then
            _command_offset "$i"
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
    fi
    case ${COMP_WORDS[COMP_CWORD - 1]} in
        -p | --policy) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        -s | --service) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-p -s -v --policy --service --verbose
                    --help --version --" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -c -- "$cur"; compgen -f -- "$cur")
            fi
            ;;
    esac
}

# The names that a CA has issued, for renewing and revoking.
_mtlsctl_issued() {
    local dir=ca i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == --dir ]]; then
            dir=${COMP_WORDS[i + 1]}
        fi
    done
    [[ -r $dir/index ]] && awk '$1 == "valid" { print $5 }' "$dir/index"
}

_mtlsctl_ca() {
    local cur=$1 prev=$2 command=$3 options=
    case $prev in
        --dir | --out | --in | --csr | --passphrase-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --key)
            mapfile -t COMPREPLY < <(compgen -W "p256 p384 ed25519 rsa2048 rsa3072" -- "$cur")
            return
            ;;
        --permit | --exclude)
            mapfile -t COMPREPLY < <(compgen -W "dns: ip: uri:" -- "$cur")
            return
            ;;
        --name | --dns | --ip | --uri | --cn | --ou | --days | --serial | --path-length) return ;;
    esac
    case $command in
        init) options="--dir --name --path-length --key --days --help --version" ;;
        sub) options="--dir --out --name --path-length --permit --exclude --key --days --help --version" ;;
        issue) options="--dir --key --dns --ip --uri --cn --ou --server --client --days --out --help --version" ;;
        sign) options="--dir --csr --take-names --take-usage --take-subject --dry-run --dns --ip
            --uri --cn --ou --server --client --days --out --force --help --version" ;;
        renew) options="--dir --keep-key --key --days --out --help --version" ;;
        p12) options="--dir --passphrase-file --in --out --force --help --version" ;;
        revoke) options="--dir --serial --help --version" ;;
        crl) options="--dir --days --out --all --help --version" ;;
        list) options="--dir --json --help --version" ;;
    esac
    if [[ $cur != -* && $command =~ ^(issue|renew|p12|revoke)$ ]]; then
        options=$(_mtlsctl_issued)
    fi
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}

_mtlsctl_explain() {
    local cur=$1 prev=$2
    case $prev in
        --program | --peer) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
        --outbound | --address | --from | --inbound | --service) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "--outbound --inbound --address --from
                    --service --program --user --peer --help --version" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            ;;
    esac
}

_mtlsctl_check() {
    local cur=$1
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--help --version" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}

_mtlsctl_doctor() {
    local cur=$1 prev=$2
    case $prev in
        -p | --policy) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
        -s | --service) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-p -s --policy --service --user --json
                    --help --version" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -c -- "$cur"; compgen -f -- "$cur")
            fi
            ;;
    esac
}

_mtlsctl_probe() {
    local cur=$1 prev=$2
    case $prev in
        -p | --policy | --program) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
        --identity | --service | --timeout) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-p --policy --identity --service --program
                    --user --timeout --json --help --version" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
            fi
            ;;
    esac
}

_mtlsctl_verify() {
    local cur=$1 prev=$2
    case $prev in
        --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
        --rule | --outbound | --inbound | --address | --from | --service | --name) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "-p --policy --rule --inbound --outbound
                    --address --from --service --program --user --trust --crl --server --client
                    --name --json --help --version" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            ;;
    esac
}

# Commands about metrics_dir. OPTIONS are those that are not of both.
_mtlsctl_counted() {
    local cur=$1 prev=$2 options=$3
    case $prev in
        -p | --policy | --textfile) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        -d | --dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        --listen) ;;
        *) mapfile -t COMPREPLY < <(compgen -W "-p -d --policy --dir $options --help --version" -- "$cur") ;;
    esac
}

# Commands that take files, and only options that begin with two hyphens.
_mtlsctl_files() {
    local cur=$1 prev=$2 options=$3
    case $prev in
        --since | --until | --rows | --identity) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            ;;
    esac
}

_mtlsctl() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "check explain doctor probe verify ca
            report suggest metrics top --help --version" -- "$cur")
    elif [[ ${COMP_WORDS[1]} == check ]]; then
        _mtlsctl_check "$cur"
    elif [[ ${COMP_WORDS[1]} == explain ]]; then
        _mtlsctl_explain "$cur" "${COMP_WORDS[COMP_CWORD - 1]}"
    elif [[ ${COMP_WORDS[1]} == doctor ]]; then
        _mtlsctl_doctor "$cur" "${COMP_WORDS[COMP_CWORD - 1]}"
    elif [[ ${COMP_WORDS[1]} == probe ]]; then
        _mtlsctl_probe "$cur" "${COMP_WORDS[COMP_CWORD - 1]}"
    elif [[ ${COMP_WORDS[1]} == verify ]]; then
        _mtlsctl_verify "$cur" "${COMP_WORDS[COMP_CWORD - 1]}"
    elif [[ ${COMP_WORDS[1]} == report ]]; then
        _mtlsctl_files "$cur" "${COMP_WORDS[COMP_CWORD - 1]}" \
            "--since --until --rows --json --html --output --help --version"
    elif [[ ${COMP_WORDS[1]} == suggest ]]; then
        _mtlsctl_files "$cur" "${COMP_WORDS[COMP_CWORD - 1]}" "--identity --strict --help --version"
    elif [[ ${COMP_WORDS[1]} == metrics ]]; then
        _mtlsctl_counted "$cur" "${COMP_WORDS[COMP_CWORD - 1]}" "--listen --textfile"
    elif [[ ${COMP_WORDS[1]} == top ]]; then
        _mtlsctl_counted "$cur" "${COMP_WORDS[COMP_CWORD - 1]}" "--once --json"
    elif [[ ${COMP_WORDS[1]} != ca ]]; then
        :
    elif ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W "init sub issue sign renew p12 revoke crl
            list --help --version" -- "$cur")
    else
        _mtlsctl_ca "$cur" "${COMP_WORDS[COMP_CWORD - 1]}" "${COMP_WORDS[2]}"
    fi
}

complete -F _mtls_run mtls-run
complete -F _mtlsctl mtlsctl
