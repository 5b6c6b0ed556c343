package gitops

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
)

func TestGitOpsKstatusSeesEachStageOfLife(t *testing.T) {
	for _, stage := range stages(t) {
		t.Run(stage.name, func(t *testing.T) {
			result, err := status.Compute(stage.resource)
			if err != nil {
				t.Fatal(err)
			}
			if result.Status.String() != stage.kstatus {
				t.Errorf("kstatus says %s (%s), want %s", result.Status, result.Message, stage.kstatus)
			}
		})
	}
}
