// What a gauge's model.tflite says of itself, and how it decides. Kotlin and org.json alone, which Android has, so that
// all of it also runs and is tested where there is no Android.
package gonogo

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.json.JSONException
import org.json.JSONObject

enum class Answer { GO, NO_GO, REVIEW, SORTED }

/**
 * What a gauge answers for one photo.
 *
 * @property answer SORTED where the gauge sorts into kinds, none of which is the good one.
 * @property label the class.
 * @property prob probability of a defect; for sorting, of the class.
 * @property novelty above 1 where the photo is unlike everything in training, and so in review; null if there is none.
 */
data class Verdict(val answer: Answer, val label: String, val prob: Float, val novelty: Float?)

/** Classes, threshold and size of photo, from the facts that a gauge's file carries. */
class Facts(text: String) {
    private val all = JSONObject(text).also {
        val found = it.opt("schema")
        require(found == SCHEMA) { "schema $found, expected $SCHEMA; export the gauge again" }
    }
    private val decision = all.getJSONObject("decision")
    private val geometry = all.getJSONObject("geometry")
    private val anySize = geometry.isNull("width") // then there is a crop, and pixels beyond its end are not taken

    val classes = decision.getJSONArray("classes").let { names -> List(names.length()) { names.getString(it) } }
    val channels = geometry.getInt("channels")
    val width = if (anySize) cropEnd(0) else geometry.getInt("width")
    val height = if (anySize) cropEnd(1) else geometry.getInt("height")

    private val good = if (decision.isNull("good")) null else classes.indexOf(decision.getString("good"))
    private val threshold = if (good == null) 0f else decision.getDouble("threshold").toFloat()
    private val noGoFrom = if (decision.isNull("no_go_from")) threshold else decision.getDouble("no_go_from").toFloat()

    init {
        require(good == null || good >= 0) { "a good class that is none of the classes; export the gauge again" }
    }

    private fun cropEnd(axis: Int) = geometry.getJSONArray("crop").run { getInt(axis) + getInt(axis + 2) }

    /** Decides as the gauge does everywhere; comparisons are asked so that what is no number does not pass as good. */
    fun decide(probs: FloatArray, novelty: Float? = null): Verdict {
        require(probs.size == classes.size) { "${probs.size} probabilities, expected ${classes.size}" }
        val likeliest = classes.indices.filter { it != good }.maxBy { probs[it] }
        val prob = if (good == null) probs[likeliest] else 1f - probs[good]
        val passed = good?.takeIf { prob < threshold }
        val answer = when {
            novelty != null && !(novelty <= 1f) -> Answer.REVIEW
            good == null -> Answer.SORTED
            passed != null -> Answer.GO
            prob < noGoFrom -> Answer.REVIEW
            else -> Answer.NO_GO
        }
        return Verdict(answer, classes[passed ?: likeliest], prob, novelty)
    }

    /**
     * The model's input: rows from the top, one byte of luma or three of colour for each pixel.
     *
     * @param argb as Bitmap.getPixels gives them, row after row.
     */
    fun pixels(argb: IntArray, photoWidth: Int, photoHeight: Int): ByteBuffer {
        val atLeast = photoWidth >= width && photoHeight >= height
        val fits = if (anySize) atLeast else photoWidth == width && photoHeight == height
        val expected = if (anySize) "at least $width x $height" else "$width x $height"
        require(fits) { "$photoWidth x $photoHeight pixels, expected $expected" }
        val input = ByteBuffer.allocateDirect(width * height * channels).order(ByteOrder.nativeOrder())
        for (y in 0 until height) {
            for (x in 0 until width) {
                val pixel = argb[y * photoWidth + x]
                val (red, green, blue) = Triple(pixel shr 16 and 0xff, pixel shr 8 and 0xff, pixel and 0xff)
                if (channels == 1) {
                    input.put((19595 * red + 38470 * green + 7471 * blue + 32768 shr 16).toByte()) // ITU-R BT.601
                } else {
                    input.put(red.toByte()).put(green.toByte()).put(blue.toByte())
                }
            }
        }
        input.rewind()
        return input
    }

    companion object {
        const val SCHEMA = 1

        /** Reads the facts of a TFLite file; a file that is none, or carries none, is refused. */
        fun of(model: ByteBuffer): Facts {
            try {
                val text = metadata(model, "gonogo")
                return Facts(requireNotNull(text) { "no gonogo metadata; give the model.tflite of a gauge" })
            } catch (error: IndexOutOfBoundsException) {
                throw IllegalArgumentException("cut or altered; copy the gauge's model.tflite again", error)
            } catch (error: JSONException) {
                throw IllegalArgumentException("facts that cannot be read; export the gauge again", error)
            }
        }
    }
}

// Places of fields in LiteRT's schema (https://github.com/google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs).
private const val MODEL_BUFFERS = 4
private const val MODEL_METADATA = 6
private const val METADATA_NAME = 0
private const val METADATA_BUFFER = 1
private const val BUFFER_DATA = 0

/**
 * The text that a TFLite file keeps under a name; null where there is none. LiteRT's interpreter does not hand it out,
 * so the file is read: a table of a FlatBuffer begins with the distance back to a list of its fields' distances.
 */
internal fun metadata(model: ByteBuffer, name: String): String? {
    val file = model.duplicate().order(ByteOrder.LITTLE_ENDIAN)
    val isTflite = file.limit() > 8 && file.getInt(4) == 0x334c4654 // "TFL3"
    require(isTflite) { "no TFLite file; give the model.tflite of a gauge" }
    fun field(table: Int, number: Int): Int? {
        val list = table - file.getInt(table)
        val entry = 4 + 2 * number
        val distance = if (entry < file.getShort(list)) file.getShort(list + entry).toInt() and 0xffff else 0
        return if (distance == 0) null else table + distance
    }
    fun follow(place: Int) = place + file.getInt(place)
    fun tables(owner: Int, number: Int): List<Int> {
        val vector = follow(field(owner, number) ?: return emptyList())
        return (0 until file.getInt(vector)).map { follow(vector + 4 + 4 * it) }
    }
    fun text(table: Int, number: Int): String? {
        val vector = follow(field(table, number) ?: return null)
        val size = file.getInt(vector)
        if (size !in 0..file.limit()) throw IndexOutOfBoundsException("$size bytes")
        val bytes = ByteArray(size) { file.get(vector + 4 + it) }
        return bytes.decodeToString()
    }
    val root = file.getInt(0)
    val entry = tables(root, MODEL_METADATA).firstOrNull { text(it, METADATA_NAME) == name } ?: return null
    val number = field(entry, METADATA_BUFFER)?.let { file.getInt(it) } ?: 0 // a field that is 0 is left out
    return text(tables(root, MODEL_BUFFERS)[number], BUFFER_DATA)
}
