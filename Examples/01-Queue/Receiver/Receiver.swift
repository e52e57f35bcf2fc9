import Interprocess

struct Reading: Shareable {
    var sensor: UInt32
    var celsius: Float
}

@main
struct FirstReceiver {
    static func main() throws {
        var receiver = try Receiver<Reading>(from: "readings")
        do {
            while let reading = try receiver.receive() { print("sensor \(reading.sensor): \(reading.celsius) °C") }
        } catch ReceiveError.peerDied(let notice) {
            print("the sender was killed (\(notice)); everything that it had sent has been printed")
        }  // waitForSender() waits for its successor, whose readings receive() brings then
    }
}
