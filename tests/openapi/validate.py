"""Holds the OpenAPI document on stdin against the specification: the meta-schema of its version, and what that cannot say."""

import json
import sys

from openapi_spec_validator import OpenAPIV31SpecValidator

document = json.load(sys.stdin)
assert document["openapi"].startswith("3.1."), document["openapi"]
errors = list(OpenAPIV31SpecValidator(document).iter_errors())
for error in errors:
    print("/".join(str(part) for part in error.absolute_path), error.message[:500], file=sys.stderr)
sys.exit(1 if errors else 0)
