#!/bin/sh
# Compiles for `cargo xtask fuzz`: cargo calls it in place of rustc for the crates of this workspace.
# The gateway's own crate tells libFuzzer which of its branches an input takes, and what it compares;
# arithmetic that overflows is a finding. All else stays as it is, and is not compiled again.
case " $* " in
  *" --crate-name tollgate "*)
    exec "$@" \
      -C passes=sancov-module \
      -C llvm-args=-sanitizer-coverage-level=3 \
      -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
      -C llvm-args=-sanitizer-coverage-pc-table \
      -C llvm-args=-sanitizer-coverage-trace-compares \
      -C overflow-checks=on \
      -C debug-assertions=on
    ;;
esac
exec "$@"
