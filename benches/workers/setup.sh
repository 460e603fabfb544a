#!/usr/bin/env bash
# Fetches AWS's runtime interface emulator, which comes inside the package aws-sam-cli, without installing that.
set -euo pipefail
folder=${MURRE_RIE_DIR:-$HOME/.cache/murre/rie}
mkdir -p "$folder"
cd "$folder"
[ -x aws-lambda-rie-x86_64 ] && exit
python3 -m pip download --quiet --no-deps --no-binary=:none: --dest . aws-sam-cli
python3 - << 'END'
import glob, tarfile, zipfile
wanted = "samcli/local/rapid/aws-lambda-rie-x86_64"
package = sorted(glob.glob("aws_sam_cli-*"))[-1]
if package.endswith(".whl"):
    data = zipfile.ZipFile(package).read(wanted)
else:
    files = tarfile.open(package)
    data = files.extractfile(next(name for name in files.getnames() if name.endswith(wanted))).read()
open("aws-lambda-rie-x86_64", "wb").write(data)
END
chmod +x aws-lambda-rie-x86_64
rm aws_sam_cli-*
