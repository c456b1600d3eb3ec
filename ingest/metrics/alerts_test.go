package metrics

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// The alert rules of deploy/ are Prometheus's own kind of file, and ask for
// metrics that there are.
func TestAlertsAskForMetricsThatThereAre(t *testing.T) {
	file, err := os.Open("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(file)
	dec.KnownFields(true)
	if err := dec.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	have := names(t, busyMetrics().registry, newReceiver(t, nil).registry, newBroker(t).registry)
	alerts := map[string]bool{}
	asked := map[string]bool{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || alerts[rule.Alert] || rule.Annotations["summary"] == "" || !slices.Contains([]string{"page", "ticket"}, rule.Labels["severity"]) {
				t.Errorf("rule %q: no name, or one twice, no summary, or a severity that nobody knows", rule.Alert)
			}
			alerts[rule.Alert] = true
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: for: %v", rule.Alert, err)
			}
			if strings.Count(rule.Expr, "(") != strings.Count(rule.Expr, ")") || strings.Count(rule.Expr, "[") != strings.Count(rule.Expr, "]") {
				t.Errorf("%s: brackets of %q", rule.Alert, rule.Expr)
			}
			found := regexp.MustCompile(`\bweir_[a-z_]+`).FindAllString(rule.Expr, -1)
			if len(found) == 0 && !strings.HasPrefix(rule.Expr, "up{") {
				t.Errorf("%s asks for nothing of weir's", rule.Alert)
			}
			for _, name := range found {
				name = strings.TrimSuffix(name, "_bucket")
				asked[name] = true
				if !slices.Contains(have, name) {
					t.Errorf("%s asks for %s, which there is not", rule.Alert, name)
				}
			}
		}
	}
	for _, name := range []string{"weir_sink_lag", "weir_sink_last_commit_age_seconds", "weir_sink_dead_letters_total"} {
		if !asked[name] {
			t.Errorf("no alert asks for %s", name)
		}
	}
}
