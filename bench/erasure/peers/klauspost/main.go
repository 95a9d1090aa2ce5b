// klauspost/reedsolomon for `npm run bench -- erasure`: encodes stripes of 14+4 cells, an encoder without goroutines of its own on each thread. A line
// "CELL_BYTES THREADS MILLISECONDS" on standard input is answered with bytes of data per second, and per second of
// processor time.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/reedsolomon"
	"golang.org/x/sys/unix"
)

const (
	data            = 14
	parity          = 4
	cells           = data + parity
	workingSetBytes = 64 << 20
)

var memories [][]byte

func main() {
	for {
		var cellBytes, threads, milliseconds int
		if _, err := fmt.Scan(&cellBytes, &threads, &milliseconds); err != nil {
			return
		}
		for len(memories) < threads {
			memory := make([]byte, workingSetBytes)
			for at := range memory {
				memory[at] = byte(uint32(at) * 2654435761 >> 24)
			}
			memories = append(memories, memory)
		}
		runtime.GOMAXPROCS(threads)
		rates, cpuRates := make([]float64, threads), make([]float64, threads)
		var wait sync.WaitGroup
		for thread := range threads {
			wait.Add(1)
			go func() {
				defer wait.Done()
				rates[thread], cpuRates[thread] = encode(memories[thread], cellBytes, time.Duration(milliseconds)*time.Millisecond)
			}()
		}
		wait.Wait()
		total, cpuTotal := 0.0, 0.0
		for thread := range threads {
			total += rates[thread]
			cpuTotal += cpuRates[thread]
		}
		fmt.Printf("%.0f %.0f\n", total, cpuTotal)
	}
}

func threadCPU() time.Duration {
	var spent unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &spent); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return time.Duration(spent.Nano())
}

func encode(memory []byte, cellBytes int, limit time.Duration) (rate, cpuRate float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	encoder, err := reedsolomon.New(data, parity, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	slabs := len(memory) / (cells * cellBytes)
	shards := make([][]byte, cells)
	coded, start, cpuStart := 0, time.Now(), threadCPU()
	for turn := 0; time.Since(start) < limit; turn++ {
		for cell := range cells {
			from := (turn%slabs*cells + cell) * cellBytes
			shards[cell] = memory[from : from+cellBytes]
		}
		if err := encoder.Encode(shards); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		coded += data * cellBytes
	}
	return float64(coded) / time.Since(start).Seconds(), float64(coded) / (threadCPU() - cpuStart).Seconds()
}
