package trainer

import (
	"encoding/json"
	"math"
	"strconv"
)

// podImage is what a pod starts from: it has Python, CUDA, sshd and runpodctl.
const podImage = "runpod/pytorch:2.8.0-py3.11-cuda12.8.1-cudnn-devel-ubuntu22.04"

// podGPUs are RunPod's names of what Modal calls by the shorter ones.
func podGPUs() map[string]string {
	return map[string]string{
		"A100-80GB": "NVIDIA A100 80GB PCIe",
		"H100":      "NVIDIA H100 80GB HBM3",
		"H100-NVL":  "NVIDIA H100 NVL",
		"H100-PCIe": "NVIDIA H100 PCIe",
		"H100-SXM":  "NVIDIA H100 80GB HBM3",
		"H200":      "NVIDIA H200",
		"L4":        "NVIDIA L4",
		"L40S":      "NVIDIA L40S",
		"RTX-4090":  "NVIDIA GeForce RTX 4090",
	}
}

// onPlatform are the files that a platform starts from.
func (j job) onPlatform(platform string) ([]written, error) {
	name := "weir-" + j.name + "-" + j.hash[:min(len(j.hash), 8)]
	m := j.Platform
	values := map[string]any{
		"Name": name, "Hours": strconv.FormatFloat(m.Hours, 'f', -1, 64), "Seconds": int64(math.Ceil(m.Hours * 3600)),
		"GPU": m.GPU, "GPUs": m.GPUs, "Spec": m.GPU + ":" + strconv.FormatInt(m.GPUs, 10),
	}
	switch platform {
	case "modal":
		text, err := fillIn("modal_app.py", values)
		return []written{{name: "modal_app.py", text: text}}, err
	case "runpod":
		gpu, known := podGPUs()[m.GPU]
		if !known {
			gpu = m.GPU
		}
		// What runpod.create_pod takes.
		spec, err := json.MarshalIndent(struct {
			Name      string `json:"name"`
			Image     string `json:"image_name"`
			GPU       string `json:"gpu_type_id"`
			GPUs      int64  `json:"gpu_count"`
			Cloud     string `json:"cloud_type"`
			Volume    int64  `json:"volume_in_gb"`
			Disk      int64  `json:"container_disk_in_gb"`
			Mount     string `json:"volume_mount_path"`
			Ports     string `json:"ports"`
			PublicIP  bool   `json:"support_public_ip"`
			StartsSSH bool   `json:"start_ssh"`
		}{name, podImage, gpu, m.GPUs, "SECURE", m.DiskGB, m.DiskGB, "/workspace", "22/tcp", true, true}, "", "  ")
		if err != nil {
			return nil, err
		}
		text, err := fillIn("runpod_job.py", values)
		return []written{{name: "runpod.json", text: append(spec, '\n')}, {name: "runpod_job.py", text: text}}, err
	}
	return nil, nil
}
