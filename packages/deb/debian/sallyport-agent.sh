#!/bin/sh
# Small memory for what stays running: dom0 has little of it. The flags are those of apps/agent/bin/lean.mjs.
lib=/usr/lib/sallyport-agent
if [ "$1" = run ]; then
	export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
	exec "$lib/node" --disable-warning=ExperimentalWarning \
		--max-old-space-size=512 --max-semi-space-size=2 --max-opt=2 --v8-pool-size=1 "$lib/lib/cli.js" "$@"
fi
exec "$lib/node" --disable-warning=ExperimentalWarning "$lib/lib/cli.js" "$@"
