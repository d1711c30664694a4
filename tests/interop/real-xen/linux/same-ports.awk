# Answers with ports by the order in which they first came: which ones are free is Linux' matter.
/^[0-9]/ {
    for (i = 3; i <= NF; ++i)
        if ($i ~ /^port=/) {
            if (!($i in name)) name[$i] = "port=#" ++known
            $i = name[$i]
        }
    print
}
