#!/bin/sh
# clang.sh CLANG COMPILER ARGUMENTS...: the same with clang in place of another compiler, without the
# options that clang does not have here.
clang=$1
shift 2
for argument; do
  shift
  case $argument in
  -fopenmp) ;;
  *) set -- "$@" "$argument" ;;
  esac
done
exec "$clang" "$@"
