/*
 * object_yaml.h -- YAML as people write it in an object's file, to a JSON tree and back.
 *
 * Shape     one document. Plain scalars mean what they mean to Kubernetes (YAML 1.1 as Go reads it: yes, on and 0x10 too).
 *           What is written is block style in the tree's order, and reads back as the same tree, numbers by their text.
 * Limits    anchors, aliases, tags and merge keys are refused, as are keys that stand twice, infinities, a second document,
 *           and what is nested deeper than OBJECT_DEPTH_MAX: what a stranger writes cannot blow up.
 * Errors    E_MALFORMED (with the line), E_LIMIT, E_NOMEM
 * Source    YAML 1.1; sigs.k8s.io/yaml reads manifests by the same rules
 */
#pragma once

#include "backend/object.h"
#include "base/buf.h"

/* An empty document is E_MALFORMED. */
enum err yaml_read(struct str text, struct why *why, json_object **ret_tree);

/* Appends `tree` as a document. */
enum err yaml_write(json_object *tree, struct buf *ret_text, struct why *why);

enum yaml_meaning { YAML_STRING, YAML_NULL, YAML_TRUE, YAML_FALSE, YAML_INT, YAML_NUMBER, YAML_NO_NUMBER };

/*
 * What a plain scalar means. YAML_INT: `*ret_int` (an int64 in another notation than JSON's); YAML_NUMBER: any other number;
 * YAML_NO_NUMBER: an infinity or .nan.
 */
enum yaml_meaning yaml_meaning(struct str text, int64_t *ret_int);

/* Is it a number as JSON writes it? */
bool yaml_is_json_number(struct str text);
