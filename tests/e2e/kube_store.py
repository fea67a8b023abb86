"""What a Kubernetes API server keeps and the rules by which it changes: objects, versions, preconditions, finalizers. No network.

An object is a dictionary that is never changed in place: who has one may go on reading it.
"""

import base64
import copy
import datetime
import json
import re
import threading
import uuid

OBJECT_MAX = 1536 << 10  # what etcd takes
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, code, reason, message, details=None):
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def status(self):
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
                **({"reason": self.reason} if self.reason else {}), **({"details": self.details} if self.details else {}),
                "code": self.code}


def gone(message):
    return Refused(410, "Expired", message)


class Resource:
    """One kind of object: where it lies and what it is called."""

    def __init__(self, group, version, name, kind, namespaced=True):
        self.group, self.name, self.kind, self.namespaced = group, name, kind, namespaced
        self.api_version = f"{group}/{version}" if group else version
        self.full = f"{name}.{group}" if group else name
        self.is_custom = bool(group)

    def details(self, name=None, **more):
        return {**({"name": name} if name else {}), **({"group": self.group} if self.group else {}), "kind": self.name, **more}

    def not_found(self, name):
        return Refused(404, "NotFound", f'{self.full} "{name}" not found', self.details(name))

    def conflict(self, name, why):
        return Refused(409, "Conflict", f'Operation cannot be fulfilled on {self.full} "{name}": {why}', self.details(name))

    def invalid(self, name, field, why, reason="FieldValueInvalid"):
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return Refused(422, "Invalid", f'{kind} "{name}" is invalid: {field}: {why}',
                       {**self.details(name), "kind": self.kind, "causes": [{"reason": reason, "message": why, "field": field}]})


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
APPPROJECTS = Resource("argoproj.io", "v1alpha1", "appprojects", "AppProject")
RESOURCES = [NAMESPACES, SECRETS, CONFIGMAPS, APPLICATIONS, APPPROJECTS]
BY_KIND = {r.kind: r for r in RESOURCES}


# ---- selectors -------------------------------------------------------------------------------------------------------


def one_label(text):
    """A function that says whether labels fit one requirement."""
    text = text.strip()
    if found := re.fullmatch(r"(\S+)\s+(in|notin)\s*\((.*)\)", text):
        key, wanted = found[1], {value.strip() for value in found[3].split(",")}
        return (lambda has: has.get(key) in wanted) if found[2] == "in" else (lambda has: has.get(key) not in wanted)
    if found := re.fullmatch(r"([^=!\s]+)\s*(==?|!=)\s*(\S*)", text):
        key, value = found[1], found[3]
        return (lambda has: has.get(key) != value) if found[2] == "!=" else (lambda has: has.get(key) == value)
    if found := re.fullmatch(r"(!?)([^=!\s]+)", text):
        return lambda has: (found[2] in has) != bool(found[1])
    raise Refused(400, "BadRequest", f"unable to parse requirement: {text}")


def one_field(text):
    key, _, value = text.replace("==", "=").partition("=")
    if key not in ("metadata.name", "metadata.namespace"):
        raise Refused(400, "BadRequest", f"field label not supported: {key}")
    return lambda metadata: metadata.get(key[9:], "") == value


def selector(labels, fields):
    """A function that says whether an object fits both texts."""
    of_labels = [one_label(part) for part in re.split(r",(?![^(]*\))", labels) if part]
    of_fields = [one_field(part) for part in fields.split(",") if part]

    def fits(o):
        metadata = o["metadata"]
        return all(one(metadata.get("labels") or {}) for one in of_labels) and all(one(metadata) for one in of_fields)

    return fits


# ---- patches ---------------------------------------------------------------------------------------------------------


def merge_patch(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merge_patch(made.get(key), value)
    return made


def json_patch(target, operations):
    """RFC 6902. KeyError, IndexError, ValueError: it does not fit."""
    made = {"": copy.deepcopy(target)}

    def place(pointer):
        at, steps = made, [""] + [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        for step in steps[:-1]:
            at = at[int(step) if isinstance(at, list) else step]
        return at, steps[-1] if isinstance(at, dict) else len(at) if steps[-1] == "-" else int(steps[-1])

    for one in operations:
        at, key = place(one["path"])
        if one["op"] in ("move", "copy"):
            source, source_key = place(one["from"])
            one = {**one, "value": copy.deepcopy(source[source_key])}
            if one["op"] == "move":
                del source[source_key]
        if one["op"] == "test":
            if at[key] != one["value"]:
                raise ValueError(f"testing value {one['path']} failed")
        elif one["op"] == "remove":
            del at[key]
        elif one["op"] == "replace":
            at[key]  # must be there
            at[key] = one["value"]
        elif isinstance(at, list):
            at.insert(key, one["value"])
        else:
            at[key] = one["value"]
    return made[""]


# ---- the store -------------------------------------------------------------------------------------------------------


def now():
    return datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")


def fields_of(value, depth=3):
    return {f"f:{key}": fields_of(v, depth - 1) for key, v in value.items()} if isinstance(value, dict) and depth else {}


def content(o):
    """What makes a version: all but who wrote it when."""
    return {**o, "metadata": {k: v for k, v in o["metadata"].items() if k not in ("managedFields", "resourceVersion")}}


class Event:
    """A change: `old` None: made; `new` None: deleted, and `last` is the object with the version of its deletion."""

    def __init__(self, version, key, old, new):
        self.version, self.key, self.old, self.new = version, key, old, new

    def seen_with(self, fits):
        """(type, object) as a watch with this selector has it; None: nothing."""
        was, comes = self.old is not None and fits(self.old), self.new is not None and fits(self.new)
        if comes:
            return ("MODIFIED" if was else "ADDED"), self.new
        if not was:
            return None
        return "DELETED", {**self.old, "metadata": {**self.old["metadata"], "resourceVersion": str(self.version)}}


class Store:
    """All objects. Every method takes the lock `changed`, which is notified with each change."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 1000
        self.objects = {}  # (resource, namespace, name): object
        self.events, self.compacted = [], 0
        self.admit = None  # called with each object that is written; what it returns is stored

    def key(self, resource, namespace, name):
        return resource, namespace if resource.namespaced else "", name

    def get(self, resource, namespace, name):
        with self.changed:
            found = self.objects.get(self.key(resource, namespace, name))
        if found is None:
            raise resource.not_found(name)
        return found

    def list(self, resource, namespace, version=None):
        """In the order of their keys, as they were at `version`."""
        with self.changed:
            there = {key: o for key, o in self.objects.items() if key[0] is resource and namespace in (None, key[1])}
            for event in reversed(self.events):
                if version is None or event.version <= version:
                    break
                if event.key[0] is resource and namespace in (None, event.key[1]):
                    there[event.key] = event.old
        return [there[key] for key in sorted(there, key=lambda key: key[1:]) if there[key] is not None]

    def compact(self):
        """Everything up to now is forgotten: who wants to go on from an older version has to list anew."""
        with self.changed:
            self.compacted, self.events = self.version, []
            self.changed.notify_all()

    def _commit(self, key, new):
        self.version += 1
        old = self.objects.pop(key, None)
        if new is not None:
            new["metadata"]["resourceVersion"] = str(self.version)
            self.objects[key] = new
        event = Event(self.version, key, old, new)
        self.events.append(event)
        self.changed.notify_all()
        return new if new is not None else event.seen_with(lambda o: True)[1]

    # ---- writes ----

    def _checked(self, resource, namespace, name, body):
        """A copy of what a client sent, with the names of where it goes."""
        if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
            raise Refused(400, "BadRequest", "the object provided is unrecognized (must be of type Object)")
        for field, wanted in (("kind", resource.kind), ("apiVersion", resource.api_version)):
            if body.get(field, wanted) != wanted or resource.is_custom and field not in body:
                raise Refused(400, "BadRequest", f"the {field} in the data ({body.get(field)}) does not match the expected {field} ({wanted})")
        o = {"apiVersion": resource.api_version, "kind": resource.kind, **copy.deepcopy(body)}
        metadata = o["metadata"]
        if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise Refused(400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request")
        if name is not None and metadata.get("name", name) != name:
            raise Refused(400, "BadRequest", f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
        if not NAME.fullmatch(metadata.get("name") or "") or len(metadata["name"]) > 253:
            raise resource.invalid(metadata.get("name", ""), "metadata.name", f"Invalid value: \"{metadata.get('name', '')}\"")
        for field in ("labels", "annotations", "data"):
            values = (o if field == "data" else metadata).get(field)
            if values is not None and not (isinstance(values, dict) and all(isinstance(v, str) for v in values.values())):
                raise Refused(400, "BadRequest", f"unable to decode: {field} must be a map of strings")
        return self._converted(resource, o)

    @staticmethod
    def _converted(resource, o):
        """What the server makes of every object that is written."""
        metadata = o["metadata"]
        for empty in [key for key in ("labels", "annotations", "finalizers", "ownerReferences") if not metadata.get(key, True)]:
            del metadata[empty]
        if resource is SECRETS:
            plain = o.pop("stringData", None) or {}
            o["data"] = {**(o.get("data") or {}), **{k: base64.b64encode(v.encode()).decode() for k, v in plain.items()}}
            o.setdefault("type", "Opaque")
        if not resource.is_custom and not o.get("data", True):
            del o["data"]
        return o

    def _stamped(self, resource, o, old, manager):
        """Who wrote which fields; and what an admission makes of it."""
        if self.admit:
            o = self.admit(o)
        others = [m for m in (old or {}).get("metadata", {}).get("managedFields", []) if m["manager"] != manager]
        written = fields_of({k: v for k, v in o.items() if k not in ("apiVersion", "kind")})
        o["metadata"]["managedFields"] = [*others, {
            "manager": manager, "operation": "Update", "apiVersion": resource.api_version, "time": now(),
            "fieldsType": "FieldsV1", "fieldsV1": written}]
        if len(json.dumps(o)) > OBJECT_MAX:
            raise Refused(500, None, "etcdserver: request is too large")
        return o

    def create(self, resource, namespace, body, manager="test"):
        with self.changed:
            o = self._checked(resource, namespace, None, body)
            metadata = o["metadata"]
            if metadata.pop("resourceVersion", None):
                raise Refused(500, None, "resourceVersion should not be set on objects to be created")
            if resource.namespaced and self.key(NAMESPACES, None, namespace) not in self.objects:
                raise NAMESPACES.not_found(namespace)
            key = self.key(resource, namespace, metadata["name"])
            if key in self.objects:
                raise Refused(409, "AlreadyExists", f'{resource.full} "{metadata["name"]}" already exists', resource.details(metadata["name"]))
            for given in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
                metadata.pop(given, None)
            metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now())
            if resource.is_custom:
                metadata["generation"] = 1
            return self._commit(key, self._stamped(resource, o, None, manager))

    def update(self, resource, namespace, name, body, manager="test"):
        with self.changed:
            o = self._checked(resource, namespace, name, body)
            key, metadata = self.key(resource, namespace, name), o["metadata"]
            old, uid = self.objects.get(key), metadata.get("uid")
            if old is None:
                raise resource.not_found(name)
            if uid and uid != old["metadata"]["uid"]:
                raise resource.conflict(name, f"StorageError: invalid object, Code: 4, Key: /registry/{namespace}/{name}, ResourceVersion: 0, AdditionalErrorMsg: "
                                        f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}")
            if resource.is_custom and not metadata.get("resourceVersion"):
                raise resource.invalid(name, "metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")
            return self._replace(resource, key, old, o, manager)

    def _replace(self, resource, key, old, o, manager):
        metadata, was, name = o["metadata"], old["metadata"], key[2]
        if metadata.get("resourceVersion") not in (None, "", was["resourceVersion"]):
            raise resource.conflict(name, "the object has been modified; please apply your changes to the latest version and try again")
        if metadata.get("deletionTimestamp") and "deletionTimestamp" not in was:
            raise resource.invalid(name, "metadata.deletionTimestamp", f"Invalid value: {metadata['deletionTimestamp']}: field is immutable")
        if added := "deletionTimestamp" in was and set(metadata.get("finalizers", [])) - set(was.get("finalizers", [])):
            raise resource.invalid(name, "metadata.finalizers", "Forbidden: no new finalizers can be added if the object is being deleted, "
                                   f"found new finalizers {sorted(added)}", "FieldValueForbidden")
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            metadata.pop(field, None)
            if field in was:
                metadata[field] = was[field]
        if old.get("immutable") and (not o.get("immutable") or old.get("data") != o.get("data")):
            raise resource.invalid(name, "data", "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")
        o = self._stamped(resource, o, old, manager)
        if resource.is_custom and {**o, "metadata": 0} != {**old, "metadata": 0}:
            o["metadata"]["generation"] = was["generation"] + 1
        if "deletionTimestamp" in was and not o["metadata"].get("finalizers"):
            self._commit(key, None)
            return o
        return old if content(o) == content(old) else self._commit(key, o)

    def patch(self, resource, namespace, name, apply, manager="test"):
        """`apply`: makes the new object of the old one."""
        with self.changed:
            old = self.get(resource, namespace, name)
            try:
                made = apply(old)
            except (KeyError, IndexError, ValueError, TypeError) as e:
                raise Refused(422, "Invalid", "the server rejected our request due to an error in our request") from e
            if made["metadata"].get("uid") != old["metadata"]["uid"]:
                raise resource.conflict(name, "Precondition failed: UID in precondition: "
                                        f"{made['metadata'].get('uid')}, UID in object meta: {old['metadata']['uid']}")
            made = self._checked(resource, namespace, name, made)
            return self._replace(resource, self.key(resource, namespace, name), old, made, manager)

    def delete(self, resource, namespace, name, options=None):
        """The object as it is now, and whether it is gone."""
        options = options or {}
        with self.changed:
            old = self.get(resource, namespace, name)
            metadata = old["metadata"]
            for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
                wanted = (options.get("preconditions") or {}).get(field)
                if wanted is not None and wanted != metadata[field]:
                    raise resource.conflict(name, f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {metadata[field]}")
            key = self.key(resource, namespace, name)
            if not metadata.get("finalizers"):
                return self._commit(key, None), True
            if "deletionTimestamp" in metadata:
                return old, False
            marked = {**metadata, "deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
            if "generation" in metadata:
                marked["generation"] = metadata["generation"] + 1
            return self._commit(key, {**old, "metadata": marked}), False
