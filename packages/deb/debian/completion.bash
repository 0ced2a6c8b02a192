# bash completion for sallyport-agent
_sallyport_agent() {
	local cur prev words cword
	_init_completion 2>/dev/null || {
		cur=${COMP_WORDS[COMP_CWORD]}
		prev=${COMP_WORDS[COMP_CWORD - 1]}
		cword=$COMP_CWORD
	}
	case $prev in
	--policy | --config | --clamd | --clamd-conf | --key-file | --pin-file | --device)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--state)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--source)
		mapfile -t COMPREPLY < <(compgen -W "syslog console eve ulogd snare" -- "$cur")
		return
		;;
	esac
	local options
	case ${COMP_WORDS[1]} in
	enrol) options="--name --state --again --other-approvers --json --help" ;;
	run) options="--state --config --help" ;;
	status) options="--state --json --help" ;;
	scan) options="--policy --json --clamd --clamd-conf --help" ;;
	replay) options="--source --help" ;;
	hold-all) options="--state --config --json --help" ;;
	pin-keyboards) options="--state --config --json --help" ;;
	disk)
		case ${COMP_WORDS[2]} in
		provision) options="--device --size --key-file --recovery-to --weak-stretch --state --json --help" ;;
		recovery) options="--key-file --recovery-to --wait --weak-stretch --state --json --help" ;;
		show) options="--json --help" ;;
		tpm) options="--key-file --pcrs --pin-file --state --help" ;;
		*) options="--help" ;;
		esac
		;;
	esac
	if [ "$cword" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "enrol run status scan replay pin-keyboards hold-all disk --help --version" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	elif [ "$cword" -eq 2 ] && [ "${COMP_WORDS[1]}" = disk ]; then
		mapfile -t COMPREPLY < <(compgen -W "provision recovery show tpm" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _sallyport_agent sallyport-agent
