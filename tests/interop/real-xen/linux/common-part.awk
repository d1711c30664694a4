# Of a script, the lines that a Linux dom0 can ask without harm to itself; the others become comments, so that line
# numbers stay. A port is named by a variable alone: any other may be Linux' own.
function by_variable(word) { return word ~ /^\$/ }
function kept() {
    if ($1 == "au" || $1 == "pw" || $1 == "prd" || $1 ~ /^[wr][248]$/) return 1
    if ($1 == "ip") return 1
    if ($1 ~ /^(cl|se|um|bc)$/) return by_variable($2)
    if ($1 ~ /^(bi|st)$/) return by_variable($3)
    # Versions, parameters of HVM guests, and numbers that are none.
    if ($1 == "hc") return ($2 == 17 || $2 == 34 || $2 == 63) && !/[%&]/
    return 0
}
{ print kept() ? $0 : "#" }
