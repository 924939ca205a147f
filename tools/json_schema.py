#!/usr/bin/env python3
"""Does a JSON text meet a schema? json_schema.py SCHEMA < TEXT. Knows the words that docs/*.schema.json use; where the
package jsonschema is installed, it must agree."""
import json
import sys

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def has_type(x, name):
    if name in ("integer", "number"):
        return isinstance(x, (int, float) if name == "number" else int) and not isinstance(x, bool)
    return isinstance(x, TYPES[name])


def properties(x, schema, root, at):
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", []):
        if name not in x:
            yield f"{at}: '{name}' is missing"
    for name, value in x.items():
        rule = known.get(name, others)
        if rule is False:
            yield f"{at}: '{name}' is not known"
        elif rule is not True:
            yield from mistakes(value, rule, root, f"{at}.{name}")


def mistakes(x, schema, root, at="$"):
    if "$ref" in schema:
        return (yield from mistakes(x, root["definitions"][schema["$ref"].split("/")[-1]], root, at))
    if "type" in schema and not has_type(x, schema["type"]):
        return (yield f"{at}: expected {schema['type']}, found {x!r}")
    if "enum" in schema and x not in schema["enum"]:
        yield f"{at}: expected one of {schema['enum']}, found {x!r}"
    if "minimum" in schema and x < schema["minimum"]:
        yield f"{at}: {x} is below {schema['minimum']}"
    if "oneOf" in schema and sum(not list(mistakes(x, s, root, at)) for s in schema["oneOf"]) != 1:
        yield f"{at}: {x!r} is not exactly one of the {len(schema['oneOf'])} kinds"
    if isinstance(x, dict):
        yield from properties(x, schema, root, at)
    for i, item in enumerate(x if isinstance(x, list) else []):
        yield from mistakes(item, schema.get("items", {}), root, f"{at}[{i}]")


def main():
    with open(sys.argv[1]) as f:
        schema = json.load(f)
    text = json.load(sys.stdin)
    found = next(mistakes(text, schema, schema), None)
    try:
        import jsonschema
        agrees = jsonschema.Draft7Validator(schema).is_valid(text) == (found is None)
    except ImportError:
        agrees = True
    print(found or "valid")
    sys.exit("jsonschema disagrees" if not agrees else found is not None)


if __name__ == "__main__":
    main()
