# Verdicts of a shell test: `expect` says each, `failures` counts those that are bad.
failures=0

expect() {  # NAME WANTED GOT
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: wanted '$2', got '$3'"
        failures=$((failures + 1))
    fi
}
