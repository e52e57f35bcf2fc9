import Interprocess
import InterprocessSystem

let args = CommandLine.arguments
func child(_ a: [String]) throws -> ChildProcess { try ChildProcess(starting: ChildProcess.currentProgram, arguments: a) }
let n = 2_000_000
func run() throws {
switch args.count > 1 ? args[1] : "" {
case "produce":
    try Processor.pin(to: [1])
    var s = try Sender<UInt64>(to: "smoke")
    for i in 0..<UInt64(n) { try s.send(i) }
case "pong":
    try Processor.pin(to: [Int(args[2])!])
    var r = try Receiver<UInt64>(from: "ping")
    var s = try Sender<UInt64>(to: "pong")
    while let v = try r.receive() { try s.send(v) }
case "":
    try Processor.pin(to: [0])
    for _ in 0..<1 {
        var c = try child(["produce"])
        var r = try Receiver<UInt64>(from: "smoke")
        var sum: UInt64 = 0
        sum &+= try r.receive()!
        let t = MonotonicInstant.now
        while let v = try r.receive() { sum &+= v }
        print("per message", Double(MonotonicInstant.now.nanoseconds(since: t)) / Double(n), sum == UInt64(n) * UInt64(n - 1) / 2)
        print(try c.wait())
    }
    for (cpu, m) in [("1", 30000), ("0", 10000), ("1", 3000), ("0", 1000), ("1", 3000), ("0", 1000), ("1", 3000), ("0", 1000)] {
        var c = try child(["pong", cpu])
        var s = try Sender<UInt64>(to: "ping")
        var r = try Receiver<UInt64>(from: "pong")
        try s.send(1); _ = try r.receive()
        let t = MonotonicInstant.now
        for i in 0..<UInt64(m) { try s.send(i); guard try r.receive() == i else { fatalError() } }
        print("rtt", cpu, Double(MonotonicInstant.now.nanoseconds(since: t)) / Double(m))
        s.close(); print(try r.receive() as Any)
        print(try c.wait())
    }
default: break
}
}
try run()
