"""What a person may name on another machine, and what is refused."""

import os
import subprocess

import pytest

from dbtui.remote.script import launcher, quoted, quoted_path, script_for
from dbtui.remote.ssh import ssh_command
from dbtui.remote.target import Target, is_remote, parse_target
from trainer_core.errors import ExitCode, UserError

AWKWARD = [
    "plain",
    "with  two spaces ",
    'it\'s "quoted"',
    "$(touch canary)`touch canary`;touch canary",
    "line\nbreak\n",
    "back\\slash\\n",
    os.fsdecode(b"\x81\x88\xff\xc3("),
    "*?[a]!~{b}",
    "ünïcode·✓",
]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("box:runs/a", Target("box", "runs/a")),
        ("me@box:/runs/a b", Target("box", "/runs/a b", "me")),
        ("me@[::1]:/a:b", Target("::1", "/a:b", "me")),
        ("[fe80::1%eth0]:a", Target("fe80::1%eth0", "a")),
        ("box:~/runs/a", Target("box", "~/runs/a")),
        ("ssh://me@box:2222/runs/a%20b", Target("box", "/runs/a b", "me", 2222)),
        ("ssh://box/~/a", Target("box", "~/a")),
        ("ssh://[::1]:22/a", Target("::1", "/a", None, 22)),
        ("me@corp.com@box:a", Target("box", "a", "me@corp.com")),
        ("box:a\nb", Target("box", "a\nb")),
    ],
)
def test_what_is_meant(text: str, target: Target):
    assert is_remote(text)
    assert parse_target(text) == target
    assert parse_target(target.text) == target


@pytest.mark.parametrize("text", ["sls-frog-1", "./a:b", "/runs/a:b", "runs/x@y:z", "a b"])
def test_what_is_here(text: str):
    assert not is_remote(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-oProxyCommand=x:a", 'host begins with "-"'),
        ("me@-oProxyCommand=x:a", 'host begins with "-"'),
        ("-lroot@box:a", 'user begins with "-"'),
        ("box:-rf", 'path begins with "-"'),
        ("ssh://-x/a", 'host begins with "-"'),
        ("ssh://%2Dx@box/a", 'user begins with "-"'),
        ("ssh://me@-x:22/a", 'host begins with "-"'),
        ("box:", "path is empty"),
        (":a", "host is empty"),
        ("@box:a", "user is empty"),
        ("b$(x):a", "host holds"),
        ("b;x:a", "host holds"),
        ("u`x`@box:a", "user holds"),
        ("b\nx:a", "host holds"),
        ("b\x1bx:a", "host holds"),
        ("box:a\0b", "NUL"),
        ("[::1;x]:a", "no IPv6 address"),
        ("[-oX]:a", "no IPv6 address"),
        ("ssh://box", "names no path"),
        ("ssh://box:99999/a", "no host or host:port"),
        ("ssh://box:x/a", "no host or host:port"),
        ("::1:a", "host is empty"),
    ],
)
def test_what_is_refused(text: str, why: str):
    assert is_remote(text)
    with pytest.raises(UserError, match="names no run on another machine") as caught:
        parse_target(text)
    assert caught.value.code is ExitCode.CONFIG
    assert why in caught.value.problems[0]
    assert "\x1b" not in caught.value.problems[0]


def test_the_command_line_of_ssh(far):
    command = ssh_command(Target("box", "-never here-", "me", 2222), "there", may_ask=False)
    assert command[-7:] == ["-l", "me", "-p", "2222", "--", "box", "there"]
    assert "BatchMode=yes" in command
    assert not any("BatchMode" in word for word in ssh_command(Target("box", "a"), "there", may_ask=True))
    assert not any("-never here-" in word for word in command)


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("path", AWKWARD)
def test_a_path_reaches_the_other_sides_shell_as_it_is(tmp_path, shell: str, path: str):
    program = b"path=" + quoted(path) + b'\nprintf %s "$path"\n'
    told = subprocess.run([shell, "-c", launcher(len(program))], input=program, capture_output=True, cwd=tmp_path)
    assert told.stdout == os.fsencode(path)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("~/a b", b"~/'a b'"),
        ("~me/a", b"~me/'a'"),
        ("~", b"~"),
        ("~$(x)/a", b"'~$(x)/a'"),
        ("~a b/c", b"'~a b/c'"),
        ("a/~/b", b"'a/~/b'"),
    ],
)
def test_only_a_home_folder_is_expanded(path: str, word: bytes):
    assert quoted_path(path) == word


def test_the_launcher_holds_nothing_of_a_persons():
    program = script_for(Target("box", "secret path"), "mark")
    assert b"path='secret path'\n" in program
    assert "secret" not in launcher(len(program))
