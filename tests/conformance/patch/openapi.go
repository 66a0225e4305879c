package patch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const schemaTable = "../../../src/resource/schema_table.c"

// description is what is published of the API that our table was made from, of the version that the table names.
type description struct {
	models map[string]*spec.Schema
	stored map[schema.GroupVersionKind]bool // what can be got by its name
}

var ofOne = regexp.MustCompile(`^/apis?(/[^/{]+)?/[^/{]+(/namespaces/\{namespace\})?/[^/{]+/\{name\}$`)

func readDescription() (*description, error) {
	table, err := os.ReadFile(schemaTable)
	if err != nil {
		return nil, err
	}
	version := regexp.MustCompile(`es_schema_table_version\[\] = "([^"]+)"`).FindSubmatch(table)
	if version == nil {
		return nil, fmt.Errorf("%s names no version", schemaTable)
	}
	out, err := exec.Command("go", "mod", "download", "-json", "k8s.io/kubernetes@"+string(version[1])).Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(module.Dir, "api/openapi-spec/v3/*_openapi.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no description in %s: %v", module.Dir, err)
	}
	all := &description{map[string]*spec.Schema{}, map[schema.GroupVersionKind]bool{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var document struct {
			Components struct {
				Schemas map[string]*spec.Schema
			}
			Paths map[string]struct {
				Get struct {
					Kind schema.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
				}
			}
		}
		if err := json.Unmarshal(text, &document); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for name, schema := range document.Components.Schemas {
			all.models[name] = schema
		}
		for path, operations := range document.Paths {
			if ofOne.MatchString(path) {
				all.stored[operations.Get.Kind] = true
			}
		}
	}
	return all, nil
}
