/* SPDX-License-Identifier: Apache-2.0 */
/* Metering vectors of what is not plain text: images, speech and recordings, by tokens and by the piece. See vectors.h.
 */
#ifndef TESTS_UNIT_VECTORS_UNITS_H
#define TESTS_UNIT_VECTORS_UNITS_H

#include "vectors_openai.h"

#define IMAGES           "openai", "/v1/images/generations"
#define DRAW(model, ...) "{'model':'" model "','prompt':'a cat'" __VA_ARGS__ "}"
#define DRAWN            "{'url':'https://example.com/{1}'}"
#define IMAGE(data, ...) "{'created':1,'data':[" data "]" __VA_ARGS__ "}"
#define IMAGE_TOKENS                                                                                                   \
    ",'usage':{'total_tokens':458,'input_tokens':50,'output_tokens':408,'input_tokens_details':{'text_tokens':10,"     \
    "'image_tokens':40}}"

static const struct vector image_vectors[] = {
    DOCUMENT(IMAGES, DRAW("gpt-image-1"), IMAGE("{'b64_json':'AAAA'}", IMAGE_TOKENS), "0.01677",
             "10*5 + 40*10 + 408*40"),
    DOCUMENT(IMAGES, DRAW("gpt-image-1-mini"), IMAGE("{'b64_json':'AAAA'}", IMAGE_TOKENS), "0.003384",
             "10*2 + 40*2.5 + 408*8"),
    DOCUMENT(AT("openai", "/v1/images/edits"), DRAW("gpt-image-1.5"),
             IMAGE("{'b64_json':'AAAA'}",
                   ",'usage':{'input_tokens':50,'output_tokens':408,'input_tokens_details':{'text_tokens':10,"
                   "'image_tokens':40},'output_tokens_details':{'text_tokens':8,'image_tokens':400}}"),
             "0.013426", "10*5 + 40*8 + 8*32 + 400*32"),
    DOCUMENT(IMAGES, DRAW("gpt-image-2"), IMAGE("{'b64_json':'AAAA'}", IMAGE_TOKENS), "0.01249",
             "10*5 + 40*5 + 408*30"), /* no prices of their own: those of text */
    STREAM(IMAGES, DRAW("gpt-image-1", ",'stream':true"),
           EVENT("image_generation.partial_image", ",'b64_json':'AAAA'")
               EVENT("image_generation.completed", ",'b64_json':'AAAA'" IMAGE_TOKENS),
           "0.01677", "10*5 + 40*10 + 408*40"),
    /* by the piece, at the price of size and quality */
    DOCUMENT(IMAGES, DRAW("dall-e-3"), IMAGE(DRAWN), "0.04", "1*40000"),
    DOCUMENT(IMAGES, DRAW("dall-e-3", ",'quality':'hd'"), IMAGE(DRAWN), "0.08", "1*80000"),
    DOCUMENT(IMAGES, DRAW("dall-e-3", ",'size':'1792x1024'"), IMAGE(DRAWN), "0.08", "1*80000"),
    DOCUMENT(IMAGES, DRAW("dall-e-3", ",'size':'1024x1792','quality':'hd'"), IMAGE(DRAWN), "0.12", "1*120000"),
    DOCUMENT(IMAGES, DRAW("dall-e-3", ",'size':'640x480'"), IMAGE(DRAWN), "0.12", "1*120000"), /* the dearest */
    DOCUMENT(IMAGES, DRAW("dall-e-2", ",'size':'256x256','n':3"), IMAGE(DRAWN "," DRAWN "," DRAWN), "0.048", "3*16000"),
    DOCUMENT(IMAGES, DRAW("dall-e-2", ",'size':'512x512','n':3"), IMAGE(DRAWN "," DRAWN), "0.036",
             "2*18000"),                                                     /* as many as came */
    DOCUMENT(IMAGES, "{'prompt':'a cat'}", IMAGE(DRAWN), "0.02", "1*20000"), /* the API's default: dall-e-2 */
    ESTIMATED(IMAGES, DRAW("dall-e-3", ",'n':2"), "{'created':1,'data':[{'url':'\\ud800'}]}", false, "0.08", "2*40000"),
    /* the request's 40 bytes in 10 tokens, one more; an image of the dearest quality has 8,320, and 300 for its parts
     */
    ESTIMATED(IMAGES, DRAW("gpt-image-1"), IMAGE("{'b64_json':'AAAA'}"), false, "0.344855", "11*5 + 8620*40"),
    UNBILLED(IMAGES, DRAW("dall-e-3"), "{'error':{'message':'refused'}}", false),
    DOCUMENT(AT("google", "/v1beta/models/imagen-4.0-generate-001:predict"),
             "{'instances':[{'prompt':'a'}],'parameters':{'sampleCount':2}}",
             "{'predictions':[{'bytesBase64Encoded':'AA'},{'bytesBase64Encoded':'AA'}]}", "0.08", "2*40000"),
    DOCUMENT(AT("google", "/v1beta/models/imagen-4.0-ultra-generate-001:predict"), "{'instances':[{'prompt':'a'}]}",
             "{'predictions':[{'bytesBase64Encoded':'AA'},{'raiFilteredReason':'no'}]}", "0.06",
             "1*60000"), /* what was filtered is not billed */
    ESTIMATED(AT("google", "/v1beta/models/imagen-4.0-fast-generate-001:predict"), "{'instances':[{'prompt':'a'}]}",
              "{'predictions':", false, "0.08", "4*20000"),
};

#define SPEECH      "openai", "/v1/audio/speech"
#define TRANSCRIPT  "openai", "/v1/audio/transcriptions"
#define HEAR(model) "{'model':'" model "','file_url':'x'}"
#define FORM(model)                                                                                                    \
    "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" model                                              \
    "\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF....\r\n--b--\r\n"
#define HEARD(text, audio, out)                                                                                        \
    ",'usage':{'type':'tokens','input_tokens':14,'input_token_details':{'text_tokens':" #text                          \
    ",'audio_tokens':" #audio "},'output_tokens':" #out "}"

static const struct vector audio_vectors[] = {
    /* the characters that were sent, known before the answer is */
    ESTIMATED(SPEECH, "{'model':'tts-1','voice':'alloy','input':'h\\u00e9llo, you'}", "\xff\xf3\x84\x64", false,
              "0.00015", "10*15"),
    ESTIMATED(SPEECH, "{'model':'tts-1-hd-1106','voice':'alloy','input':'hello'}", "\xff\xf3\x84\x64", false, "0.00015",
              "5*30"),
    STREAM(SPEECH, "{'model':'gpt-4o-mini-tts','voice':'alloy','input':'hello','stream_format':'sse'}",
           EVENT("speech.audio.delta", ",'audio':'AAAA'")
               EVENT("speech.audio.done", ",'usage':{'input_tokens':14,'output_tokens':101,'total_tokens':115}"),
           "0.0012204", "14*0.6 + 101*12"),
    /* 59 bytes: 15 tokens, a token and a half of speech for each byte */
    ESTIMATED(SPEECH, "{'model':'gpt-4o-mini-tts','voice':'alloy','input':'hello'}", "\xff\xf3\x84\x64", false,
              "0.001077", "15*0.6 + 89*12"),
    DOCUMENT(TRANSCRIPT, HEAR("whisper-1"), "{'text':'hello','usage':{'type':'duration','seconds':9}}", "0.0009",
             "9*100"),
    {TRANSCRIPT, FORM("whisper-1"), "{'task':'transcribe','duration':8.47,'text':'hello'}", false, "0.0009", "9*100",
     USAGE_PROVIDER, PRICE_LISTED, NULL, NULL, "multipart/form-data; boundary=b"},
    {"openai", "/v1/audio/translations", FORM("whisper-1"), "{'duration':3600,'text':'hello'}", false, "0.36",
     "3600*100", USAGE_PROVIDER, PRICE_LISTED, NULL, NULL, "multipart/form-data; boundary=b"},
    ESTIMATED(TRANSCRIPT, HEAR("whisper-1"), "1\n00:00:00,000 --> 00:01:02,500\nHello\n\n", false, "0.0063",
              "63*100"), /* the end of the last subtitle */
    DOCUMENT(TRANSCRIPT, HEAR("gpt-4o-transcribe"), "{'text':'hello'" HEARD(4, 10, 5) "}", "0.00012",
             "4*2.5 + 10*6 + 5*10"),
    STREAM(TRANSCRIPT, HEAR("gpt-4o-mini-transcribe"),
           EVENT("transcript.text.delta", ",'delta':'hello'")
               EVENT("transcript.text.done", ",'text':'hello'" HEARD(0, 14, 5)),
           "0.000067", "14*3 + 5*5"),
    {TRANSCRIPT, FORM("gpt-4o-transcribe-diarize"), "{'text':'hello'" HEARD(4, 10, 5) "}", false, "0.00012",
     "4*2.5 + 10*6 + 5*10", USAGE_PROVIDER, PRICE_LISTED, NULL, NULL, "multipart/form-data; boundary=b"},
    UNBILLED(TRANSCRIPT, HEAR("whisper-1"), "{'error':{'message':'no'}}", false),
};

#endif
