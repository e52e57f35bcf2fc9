import Interprocess

struct Reading: Shareable {
    var sensor: UInt32
    var celsius: Float
}

@main
struct FirstReceiver {
    static func main() throws {
        var receiver = try Receiver<Reading>(from: "readings")
        while let reading = try receiver.receive() { print("sensor \(reading.sensor): \(reading.celsius) °C") }
    }  // a sender that is killed ends the loop with an error: ReceiveError.peerDied
}
