# What dbtui runs on the other side, in the system's sh; it reads requests from stdin, a line each. Before it stand
# $mark (a random word that ends each answer), and $path (the run). Needed: sh, head, tail, cat, date, cksum, wc, find,
# grep, printf and stat (or ls); where they are there: flock, sha256sum (or shasum, sha256, openssl), ps, readlink.
LC_ALL=C
export LC_ALL
unset CDPATH
umask 077

finish() {
    printf '\n%s %s\n' "$mark" "$1"
}

if stat -L -c %s / >/dev/null 2>&1; then
    size_and_time="stat -L -c %s_%Y"
    listed='%s %Y %n'
    stat_format=-c
elif stat -L -f %z / >/dev/null 2>&1; then
    size_and_time="stat -L -f %z_%m"
    listed='%z %m %N'
    stat_format=-f
else
    size_and_time=
fi

size_of() {
    if [ -n "$size_and_time" ]; then
        $size_and_time "$1" 2>/dev/null
    elif [ -f "$1" ]; then
        echo "$(wc -c <"$1")_"
    fi
}

# Who asks about processes here: boot, host, pid namespace, kind of file system, the folder itself.
who() {
    printf 'boot %s\n' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.bootsessionuuid 2>/dev/null)"
    printf 'host %s\n' "$(uname -n)"
    printf 'namespace %s\n' "$(readlink /proc/self/ns/pid 2>/dev/null)"
    printf 'disk %s\n' "$(stat -f -c %T . 2>/dev/null)"
    folder=$(pwd -P)
    printf 'folder %s\n' "$(printf '%s' "$folder" | tr '\n' '?')"
    printf 'user %s\n' "$(id -u)"
}

# Whether the trainer's lock is held: a shared lock is asked for, and given back at once.
held() {
    if [ ! -f run.lock ]; then
        echo free
    elif [ ! -r run.lock ] || ! command -v flock >/dev/null 2>&1; then
        echo unknown
    else
        (flock -s -n 9) 9<run.lock 2>/dev/null
        case $? in
            0) echo free ;;
            1) echo held ;;
            *) echo unknown ;;
        esac
    fi
}

# process PID: its /proc/PID/stat or its start; nothing if there is none, "?" if that cannot be told.
process() {
    cat "/proc/$1/stat" 2>/dev/null || ps -o lstart= -p "$1" 2>/dev/null && return
    [ -r /proc/1/stat ] || ps -o lstart= -p 1 >/dev/null 2>&1 || echo '?'
}

# look OFFSET MOST PID: how the run stands, then at most MOST bytes of its events from OFFSET on.
look() {
    printf 'now %s\n' "$(date +%s)"
    printf 'held %s\n' "$(held)"
    printf 'lock %s\n' "$(head -c 4096 run.lock 2>/dev/null | head -n 1)"
    case $3 in
        '' | *[!0-9]* | 0) ;;
        *) printf 'process %s\n' "$(process "$3")" ;;
    esac
    printf 'made %s\n' "$(size_of run.toml)"
    printf 'events %s\n' "$(size_of events.jsonl)"
    if [ -f events.jsonl ]; then
        printf 'first %s\n\n' "$(head -c 4096 events.jsonl | head -n 1 | cksum)"
        tail -c "+$(($1 + 1))" events.jsonl | head -c "$2"
    else
        printf 'first\n\n'
    fi
}

# facts: the newest configuration, a line with the mark, and who trains.
facts() {
    newest=1
    file=run.toml
    for each in run.*.toml; do
        number=${each#run.}
        number=${number%.toml}
        case $number in
            '' | *[!0-9]* | ???????*) ;;
            *) [ "$number" -gt "$newest" ] && newest=$number && file=$each ;;
        esac
    done
    head -c 1000000 "$file"
    printf '\n%s\n' "$mark"
    head -c 1000000 process.json 2>/dev/null
}

# say KIND ID: one command to the trainer, with the time of here, appended by one write.
say() {
    now=$(date +%s.%N)
    case $now in
        *[!0-9.]*) now=$(date +%s).999 ;;
    esac
    line="{\"id\":\"$2\",\"kind\":\"$1\",\"args\":{},\"t\":$now}"
    if [ -s control.jsonl ] && [ "$(tail -c 1 control.jsonl | wc -l)" -eq 0 ]; then
        printf '\n%s\n' "$line" >>control.jsonl || return 1
    else
        printf '%s\n' "$line" >>control.jsonl || return 1
    fi
    grep -F -x -q -e "$line" control.jsonl
}

# list all|some: size, time and name of every file but hidden ones (and checkpoints), and what has a line break in its name;
# then, behind the mark, what is neither file nor folder.
list() {
    line_break='
'
    without=/
    [ "$1" = all ] || without=./checkpoints
    if [ -n "$size_and_time" ]; then
        find . \( -name '.?*' -o -path "$without" -o -name "*$line_break*" \) -prune -o \
            -type f -exec stat "$stat_format" "$listed" {} +
    else
        find . \( -name '.?*' -o -path "$without" -o -name "*$line_break*" \) -prune -o \
            -type f -exec sh -c 'for each do echo "$(($(wc -c <"$each"))) 0 $each"; done' sh {} +
    fi
    printf '%s\n' "$mark"
    find . \( -name '.?*' -o -path "$without" -o -name "*$line_break*" \) -prune -o ! -type f ! -type d -print
}

# sum SIZE - FILE: the SHA-256 of a file's first SIZE bytes.
sum() {
    if command -v sha256sum >/dev/null 2>&1; then
        head -c "$1" "$2" | sha256sum
    elif command -v shasum >/dev/null 2>&1; then
        head -c "$1" "$2" | shasum -a 256
    elif command -v sha256 >/dev/null 2>&1; then
        head -c "$1" "$2" | sha256 -q
    elif command -v openssl >/dev/null 2>&1; then
        head -c "$1" "$2" | openssl dgst -sha256 -r
    else
        echo none
    fi
}

# get OFFSET COUNT FILE: that part of a file, no more.
get() {
    [ -f "$3" ] && [ ! -L "$3" ] || return 1
    tail -c "+$(($1 + 1))" "$3" | head -c "$2"
}

enter() {
    cd 2>/dev/null || : # a path begins at the home folder, whatever the login scripts did
    [ -f "$path" ] && [ ! -d "$path" ] && case $path in
        */*) path=${path%/*}/ ;;
        *) path=. ;;
    esac
    [ -d "$path" ] || return 3
    cd "$path" 2>/dev/null || return 4
    [ -f run.toml ] && return 0
    for each in */run.toml; do
        [ -f "$each" ] && printf '%s\n' "${each%/run.toml}"
    done | head -n 8
    return 5
}

finish hello
enter
finish $?
while IFS=' ' read -r verb first second rest; do
    rest=${rest%|}
    case $verb in
        who) who ;;
        look) look "$first" "$second" "${rest:-}" ;;
        facts) facts ;;
        say) say "$first" "$second" ;;
        list) list "$first" ;;
        sum) sum "$first" "$rest" ;;
        get) get "$first" "$second" "$rest" ;;
        log) tail -c 20000 console.log ;;
        *) false ;;
    esac 2>/dev/null
    finish $?
done
