"""Holds the ESP-IDF project together where no compiler of ESP-IDF's is at hand to do it.

    project.py agree        sources, Kconfig names and lwIP's options agree, or it says where they do not
    project.py self-test    each of these checks refuses what it is there to refuse
    project.py header       sdkconfig.h for an ESP32-C3, on standard output
    project.py link-flags   the symbols main/CMakeLists.txt asks the linker for

Knows: the files of this folder and firmware/twin's options. Refuses to know: ESP-IDF itself.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIRMWARE = os.path.dirname(os.path.dirname(HERE))
TARGETS = ("esp32", "esp32s3", "esp32c3")

# Where a chip and the twin may differ, and why.
MAY_DIFFER = {
    "MEM_ALIGNMENT": "pointers have 64 bits on the host",
    "LWIP_HOOK_FILENAME": "ESP-IDF reaches the same hooks by way of a header of its own",
    "LWIP_NETCONN_FULLDUPLEX": "twin/port/lwipopts.h tells",
    "TCPIP_THREAD_STACKSIZE": "the host's own size",
    "DEFAULT_THREAD_STACKSIZE": "likewise",
}


def read_project():
    """Every text the checks look at, by its path under firmware/."""
    texts = {}
    for folder in ("app", "esp-idf", "esp-idf/main"):
        for name in sorted(os.listdir(os.path.join(FIRMWARE, folder))):
            path = "%s/%s" % (folder, name)
            if name.endswith((".c", ".h", ".txt", ".projbuild")) or name.startswith("sdkconfig.defaults"):
                with open(os.path.join(FIRMWARE, path), encoding="utf-8") as file:
                    texts[path] = file.read()
    for path in ("esp-idf/check/lwipopts.h", "twin/port/lwipopts.h"):
        with open(os.path.join(FIRMWARE, path), encoding="utf-8") as file:
            texts[path] = file.read()
    return texts


def without_comments(cmake):
    return re.sub(r"#.*", "", cmake)


def kconfig(texts):
    """Our options and their defaults, as sdkconfig writes them."""
    options, name = {}, None
    for line in texts["esp-idf/main/Kconfig.projbuild"].splitlines():
        words = line.split(None, 1)
        if words[:1] == ["config"]:
            name = words[1].strip()
            options[name] = "n"
        elif words[:1] == ["default"]:
            options[name] = words[1].strip()
    return options


def settings(texts, target):
    """sdkconfig as a first build for `target` gets it, as far as this folder decides it."""
    values = {"CONFIG_" + name: default for name, default in kconfig(texts).items()}
    values["CONFIG_IDF_TARGET"] = '"%s"' % target
    for path in ("esp-idf/sdkconfig.defaults", "esp-idf/sdkconfig.defaults." + target):
        for line in texts[path].splitlines():
            if line and not line.startswith("#"):
                name, value = line.split("=", 1)
                values[name] = value
    return values


def header(texts, target="esp32c3"):
    lines = ["#pragma once"]
    for name, value in sorted(settings(texts, target).items()):
        if value != "n":
            lines.append("#define %s %s" % (name, "1" if value == "y" else value))
    return "\n".join(lines) + "\n"


def link_flags(texts):
    return re.findall(r'"-u (\w+)"', without_comments(texts["esp-idf/main/CMakeLists.txt"]))


def sources(texts):
    """CMake's list is the folders' contents."""
    cmake = without_comments(texts["esp-idf/main/CMakeLists.txt"])
    listed = re.findall(r'"([^"]+\.c)"', cmake)
    there = [path.replace("app/", "../../app/", 1) for path in texts if re.match(r"app/[^/]+\.c$", path)]
    there += [os.path.basename(path) for path in texts if re.match(r"esp-idf/main/[^/]+\.c$", path)]
    for name in sorted(set(there) - set(listed)):
        yield "main/CMakeLists.txt does not list " + name
    for name in sorted(set(listed) - set(there)):
        yield "main/CMakeLists.txt lists %s, which does not exist" % name
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        yield "main/CMakeLists.txt lists %s twice" % name


def names(texts):
    """Every option that is used is declared, and the other way round."""
    declared, used = set(kconfig(texts)), set()
    for path, text in texts.items():
        if not path.startswith("esp-idf/main/") or path.endswith("Kconfig.projbuild"):
            continue
        for name in re.findall(r"\bCONFIG_(\w+)", text):
            if name == "IDF_TARGET":
                continue
            used.add(name)
            if name not in declared:
                yield "%s uses CONFIG_%s, which Kconfig.projbuild does not declare" % (path, name)
    for name in sorted(declared - used):
        yield "Kconfig.projbuild declares %s, and nothing uses it" % name
    for path in texts:
        for name in re.findall(r"\bCONFIG_TCPWATCH_\w+", texts[path] if path.startswith("app/") else ""):
            yield "%s uses %s: the application knows no Kconfig" % (path, name)
    given = settings(texts, TARGETS[0])
    for name in re.findall(r"\bCONFIG_\w+", texts["esp-idf/check/lwipopts.h"]):
        if name not in given:
            yield "sdkconfig.defaults does not say what %s is" % name


def macros(texts, path, folder):
    """What a header defines once the preprocessor has read it with our settings."""
    file = os.path.join(folder, os.path.basename(path))
    with open(file, "w", encoding="utf-8") as out:
        out.write(texts[path])
    found = subprocess.run(
        [os.environ.get("CC", "cc"), "-E", "-dM", "-I", folder, "-I", os.path.join(HERE, "idf"), file],
        check=True, capture_output=True, text=True).stdout
    values = dict(re.findall(r"^#define (\w+) (.*)$", found, re.M))
    # Only what this file speaks of, and names of names followed to their values.
    own = set(re.findall(r"^#define (\w+)", texts[path], re.M))
    for name in own & set(values):
        value, seen = values[name], set()
        while value in values and value not in seen:
            seen.add(value)
            value = values[value]
        values[name] = value
    return {name: values[name] for name in own if name in values}


def options(texts):
    """lwIP is configured as in the twin, on every target."""
    for target in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "sdkconfig.h"), "w", encoding="utf-8") as out:
                out.write(header(texts, target))
            chip = macros(texts, "esp-idf/check/lwipopts.h", folder)
            twin = macros(texts, "twin/port/lwipopts.h", folder)
        both = {name for name in set(chip) & set(twin) if not name.endswith("_LWIPOPTS_H")}
        for name in sorted(both):
            if chip[name] != twin[name] and name not in MAY_DIFFER:
                yield "%s: %s is %s, and %s in the twin" % (target, name, chip[name], twin[name])
        for name in sorted(MAY_DIFFER):
            if name not in both or chip[name] == twin[name]:
                yield "%s: %s may differ from the twin, and does not" % (target, name)
        if len(both) < 30:
            yield "%s: only %d options to compare; something was not read" % (target, len(both))


CHECKS = (sources, names, options)


def complaints(texts):
    return [complaint for check in CHECKS for complaint in check(texts)]


def self_test(texts):
    """(file, what is found in it, what is put there, what must then be complained about)"""
    broken = (
        ("esp-idf/main/CMakeLists.txt", '    "../../app/hmac.c"\n', "", "does not list ../../app/hmac.c"),
        ("esp-idf/main/CMakeLists.txt", '"isn.c"', '# "isn.c"', "does not list isn.c"),
        ("esp-idf/main/CMakeLists.txt", '"isn.c"', '"isn.c" "nothing.c"', "nothing.c, which does not exist"),
        ("esp-idf/main/CMakeLists.txt", '"isn.c"', '"isn.c" "isn.c"', "isn.c twice"),
        ("esp-idf/main/Kconfig.projbuild", "TCPWATCH_MODE", "TCPWATCH_MODES", "uses CONFIG_TCPWATCH_MODE,"),
        ("esp-idf/main/Kconfig.projbuild", "endmenu", "config TCPWATCH_X\nendmenu", "nothing uses it"),
        ("app/app.c", "http_server_start()", "CONFIG_TCPWATCH_MODE", "the application knows no Kconfig"),
        ("esp-idf/sdkconfig.defaults", "CONFIG_LWIP_TCP_MSL=60000", "", "does not say what CONFIG_LWIP_TCP_MSL"),
        ("esp-idf/sdkconfig.defaults", "TCP_WND_DEFAULT=5744", "TCP_WND_DEFAULT=5760", "TCP_WND is 5760, and 5744"),
        ("esp-idf/sdkconfig.defaults", "SO_LINGER=n", "SO_LINGER=y", "LWIP_SO_LINGER is 1, and 0"),
        ("esp-idf/sdkconfig.defaults.esp32s3", "CONFIG_ESP_CONSOLE_UART_DEFAULT=y", "CONFIG_LWIP_MAX_SOCKETS=16",
         "esp32s3: MEMP_NUM_NETCONN is 16, and 10"),
        ("twin/port/lwipopts.h", "TCP_MSS 1440", "TCP_MSS 1460", "TCP_MSS is 1440, and 1460"),
        ("twin/port/lwipopts.h", "MEM_ALIGNMENT 8", "MEM_ALIGNMENT 4", "MEM_ALIGNMENT may differ"),
    )
    for path, old, new, expected in broken:
        assert old in texts[path], "%s no longer has %r" % (path, old)
        found = complaints(dict(texts, **{path: texts[path].replace(old, new, 1)}))
        if not any(expected in complaint for complaint in found):
            yield "%s with %r in place of %r was not refused (%s)" % (path, new, old, found)


def main():
    texts = read_project()
    what = sys.argv[1] if len(sys.argv) == 2 else ""
    if what == "header":
        sys.stdout.write(header(texts))
    elif what == "link-flags":
        print(" ".join(link_flags(texts)))
    elif what in ("agree", "self-test"):
        found = complaints(texts) if what == "agree" else list(self_test(texts))
        for complaint in found:
            print("firmware/esp-idf: " + complaint, file=sys.stderr)
        sys.exit(1 if found else 0)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
