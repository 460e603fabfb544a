//! The archive of a function has a limit, and every byte of it is fetched on a cold start. lld, Rust's linker on x86-64
//! Linux, can keep functions of equal code once.
//!
//! Constants have to be folded with them: a `match` is a table of jumps, and two functions with a table each are not equal
//! before their tables are. Most of it is sqlparser's syntax tree, which plans hold, and of which every crate that hashes,
//! compares or drops plans has its own copies of the code to do so.
//!
//! So no address of a function or a constant may mean anything. Which of them share one, `nm -C` tells of the linked file:
//! beside what compilers make (vtables, texts, tables of jumps and of unwinding) and what has no size, these: tables of
//! digits, powers, hashes and brotli that two crates have; ring's HMAC and PSS of the same digest, and rustls's names for
//! ring's ciphers, which are compared by what they hold; and crossbeam's unprotected guard with zstd's zeroes, which is asked
//! for the null in it. A waker that shares its vtable with another has the same functions. Only the allocator compares
//! addresses: an empty heap is not the wrong one, though their bytes are the same.

/// Of mimalloc (`src/init.c`).
const KEPT_APART: [&str; 3] = ["_mi_page_empty", "_mi_theap_empty", "_mi_theap_empty_wrong"];

fn main() {
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("OS") == "linux" {
        for argument in ["--icf=all", "--ignore-data-address-equality"] {
            println!("cargo:rustc-link-arg-bins=-Wl,{argument}");
        }
        for symbol in KEPT_APART {
            println!("cargo:rustc-link-arg-bins=-Wl,--keep-unique={symbol}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
}
