// SPDX-License-Identifier: Apache-2.0

// The same for the scenario as tests/clients/supervised.c, in Go: its runtime makes system calls by itself, from many
// threads, on sockets that its poller watches. Built with and without cgo.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

func connect(address string) string {
	connection, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return fmt.Sprintf("%v\n", err)
	}
	defer connection.Close()
	greeting, _ := io.ReadAll(connection)
	return "connected: " + string(greeting)
}

// Many at once: how many heard the agent.
func threads(address string, routines, times int) {
	var group sync.WaitGroup
	var lock sync.Mutex
	greeted, others := 0, map[string]int{}
	for i := 0; i < routines; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < times; j++ {
				answer := connect(address)
				lock.Lock()
				if len(answer) > 17 && answer[:17] == "connected: agent " {
					greeted++
				} else {
					others[answer]++
				}
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	fmt.Printf("greeted %d others %v\n", greeted, others)
}

func main() {
	switch os.Args[1] {
	case "connect":
		fmt.Print(connect(net.JoinHostPort(os.Args[2], os.Args[3])))
	case "threads":
		routines, _ := strconv.Atoi(os.Args[4])
		times, _ := strconv.Atoi(os.Args[5])
		threads(net.JoinHostPort(os.Args[2], os.Args[3]), routines, times)
	case "run": // another program
		command := exec.Command(os.Args[2], os.Args[3:]...)
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			fmt.Println(err)
		}
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	}
}
