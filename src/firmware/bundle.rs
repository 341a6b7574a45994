//! The sources of the test firmware for boards, in the program itself: whoever has the program has them.
//!
//! Every file by name, so that nothing is taken along that only lies there (a `sdkconfig` holds a password);
//! `tests/firmware_cli.rs` holds the lists against the repository. The twin is not for boards, and lwIP not ours to hand on.
//! Knows no place to write to.

/// One file: its path under `firmware/`, and what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled {
    pub path: &'static str,
    pub text: &'static str,
}

macro_rules! bundled {
    ($($path:literal,)*) => {
        &[$(Bundled { path: $path, text: include_str!(concat!("../../firmware/", $path)) },)*]
    };
}

/// The ESP-IDF project, which finds the server's C in the folder beside its own.
pub const ESP_IDF: &[Bundled] = bundled![
    "app/app.c",
    "app/app.h",
    "app/app_lwip_hooks.h",
    "app/control.c",
    "app/control.h",
    "app/control_auth.c",
    "app/control_auth.h",
    "app/control_change.c",
    "app/control_change.h",
    "app/control_reply.c",
    "app/control_reply.h",
    "app/control_request.c",
    "app/control_request.h",
    "app/faults.c",
    "app/faults.h",
    "app/hmac.c",
    "app/hmac.h",
    "app/http_connection.c",
    "app/http_connection.h",
    "app/http_server.c",
    "app/http_server.h",
    "app/json_read.c",
    "app/json_read.h",
    "app/json_write.c",
    "app/json_write.h",
    "app/pcb_cap.c",
    "app/pcb_cap.h",
    "app/pcb_list.c",
    "app/pcb_list.h",
    "app/remedies.c",
    "app/remedies.h",
    "app/stack_account.c",
    "app/stack_account.h",
    "app/tcp_hook.c",
    "app/time_wait.c",
    "app/time_wait.h",
    "esp-idf/.gitignore",
    "esp-idf/CMakeLists.txt",
    "esp-idf/README.md",
    "esp-idf/main/CMakeLists.txt",
    "esp-idf/main/Kconfig.projbuild",
    "esp-idf/main/boots.c",
    "esp-idf/main/boots.h",
    "esp-idf/main/console_line.c",
    "esp-idf/main/console_line.h",
    "esp-idf/main/idf_component.yml",
    "esp-idf/main/isn.c",
    "esp-idf/main/main.c",
    "esp-idf/main/provisioning.c",
    "esp-idf/main/provisioning.h",
    "esp-idf/main/settings.c",
    "esp-idf/main/settings.h",
    "esp-idf/main/wifi.c",
    "esp-idf/main/wifi.h",
    "esp-idf/sdkconfig.defaults",
    "esp-idf/sdkconfig.defaults.esp32",
    "esp-idf/sdkconfig.defaults.esp32c3",
    "esp-idf/sdkconfig.defaults.esp32s3",
];

/// The script for a stock MicroPython board, and a board definition for those who build MicroPython.
pub const MICROPYTHON: &[Bundled] = bundled![
    "micropython/README.md",
    "micropython/board.py",
    "micropython/board/README.md",
    "micropython/board/mpconfigboard.cmake",
    "micropython/board/mpconfigboard.h",
    "micropython/board/sdkconfig.board",
    "micropython/config.example.py",
    "micropython/control.py",
    "micropython/control_auth.py",
    "micropython/http_server.py",
    "micropython/json_read.py",
    "micropython/main.py",
];

/// What a MicroPython board itself needs; its `config.py` is made, from `config.example.py`.
pub const ON_THE_BOARD: [&str; 6] =
    ["main.py", "board.py", "control.py", "control_auth.py", "http_server.py", "json_read.py"];
