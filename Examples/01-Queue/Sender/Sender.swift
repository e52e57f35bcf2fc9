import Interprocess

struct Reading: Shareable {
    var sensor: UInt32
    var celsius: Float
}

@main
struct FirstSender {
    static func main() throws {
        var sender = try Sender<Reading>(to: "readings")
        for number in 0..<10 { try sender.send(Reading(sensor: 1, celsius: Float(number))) }
    }  // the sender closes here: the receiver gets its end after the last reading
}
