#ifndef ES_CTL_DOCUMENTS_H
#define ES_CTL_DOCUMENTS_H

#include "ctl/args.h"
#include "ctl/ctl.h"
#include "resource/key.h"

/* Files of resources: YAML or JSON, several documents in one, lists of kind List taken apart. */
struct es_ctl_document {
	struct es_resource_key key;
	struct es_json value;
	const char *file; /* "standard input" for "-" */
	size_t number;    /* of the document in the file, from 1 */
	size_t line;      /* 0: not known */
	size_t item;      /* of a List, from 1; 0: it is in none */
};

struct es_ctl_documents {
	struct es_arena arena;
	struct es_ctl_document *items;
	size_t count;
};

/*
 * Read all files and find each document's key; namespaces that are left out are those of the options. ES_CTL_OK, or
 * the exit status after a complaint about every document that is no resource. es_ctl_documents_close must follow
 * either way.
 */
int es_ctl_documents_read(const struct es_ctl_list *files, const struct es_ctl_options *options,
			  struct es_ctl_documents *documents);
void es_ctl_documents_close(struct es_ctl_documents *documents);

/* A whole file, or standard input for "-", in the arena. ES_CTL_OK, or the exit status after a complaint. */
int es_ctl_read_file(const char *path, struct es_arena *arena, struct es_slice *ret_text);
/* "file.yaml, document 2 (line 14)" */
void es_ctl_document_where(const struct es_ctl_document *document, char *out, size_t size);

/* The namespace of a key: false, it has none. `kind` is what is known of the kind; "" and NULL are none. */
struct es_ctl_kind;
bool es_ctl_namespace(const struct es_ctl_options *options, const struct es_ctl_kind *kind,
		      struct es_slice *ret_ns);

#endif
