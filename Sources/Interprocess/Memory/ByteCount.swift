/// "256 MiB", for messages.
package func byteCount(_ bytes: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var value = bytes
    var unit = 0
    var rest = 0
    while value >= 1024 && unit < units.count - 1 {
        rest = value % 1024
        value /= 1024
        unit += 1
    }
    let tenths = rest * 10 / 1024
    return unit > 0 && tenths > 0 && value < 100 ? "\(value).\(tenths) \(units[unit])" : "\(value) \(units[unit])"
}
