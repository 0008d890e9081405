// SPDX-License-Identifier: Apache-2.0

// Calls from some goroutines, each on a connection of its own, until a file exists: posts URL BODY FILE GOROUTINES.
// Prints how many were answered with 200, and what was said of the others.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func post(client *http.Client) string {
	request, err := http.NewRequest("POST", os.Args[1], strings.NewReader(os.Args[2]))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("OPENAI_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	if _, err = io.ReadAll(answer.Body); err != nil {
		return err.Error()
	}
	if answer.StatusCode != 200 {
		return answer.Status
	}
	return ""
}

func main() {
	client := &http.Client{Timeout: 120 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	count, _ := strconv.Atoi(os.Args[4])
	var group sync.WaitGroup
	var lock sync.Mutex
	answered, problems := 0, map[string]int{}
	for i := 0; i < count; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				if _, err := os.Stat(os.Args[3]); err == nil {
					return
				}
				problem := post(client)
				lock.Lock()
				if problem == "" {
					answered++
				} else {
					problems[problem]++
				}
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	fmt.Println("answered", answered, "others", problems)
}
