# The module esp32, simulated: see air.py.
import air


class Partition:
    """Two of them, ota_0 (which runs) and ota_1; each 16 KiB here."""

    BOOT, RUNNING = 0, 1
    SIZE = 16384

    def __init__(self, which):
        self.name = "ota_0"

    def get_next_update(self):
        # ports/esp32/esp32_partition.c: esp32_partition_get_next_update
        other = Partition(0)
        other.name = "ota_1"
        air.world.partitions[other.name] = bytearray(Partition.SIZE)
        return other

    def info(self):
        # esp32_partition_info: type, subtype, address, size, label, encrypted
        return (0, 17, 0x1F0000, Partition.SIZE, self.name, False)

    def writeblocks(self, block, data):
        # esp32_partition_writeblocks: with two arguments it erases first; blocks of 4096
        assert len(data) == 4096
        air.world.partitions[self.name][block * 4096 : block * 4096 + 4096] = data

    def set_boot(self):
        # esp_ota_set_boot_partition() verifies the image: its first byte is 0xE9
        if air.world.partitions[self.name][0] != 0xE9:
            raise OSError(-5379, "ESP_ERR_OTA_VALIDATE_FAILED")
        air.world.log.append("boot " + self.name)

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        # esp32_partition_mark_app_valid_cancel_rollback
        air.world.log.append("valid")
